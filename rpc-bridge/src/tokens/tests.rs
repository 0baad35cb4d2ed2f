use super::*;
use ecs_core::{Caller, Scope};
use std::os::unix::fs::PermissionsExt;
use tempfile::{TempDir, tempdir};

fn new(name: &str) -> NewToken {
    let token = Some(name.into());
    let caller = Caller { token, ..Caller::with([Scope::Read, Scope::Pay]) };
    NewToken { grant: Grant { caller, ..Grant::owner(name) }, expires_ms: None }
}

fn opened() -> (TempDir, Tokens) {
    let dir = tempdir().unwrap();
    let tokens = Tokens::open(dir.path().join("access")).unwrap();
    (dir, tokens)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_token_counts_from_when_it_is_made_until_it_is_revoked() {
    let (_dir, server) = opened();
    let shell = Tokens::open(&server.dir).unwrap();
    let secret = shell.create(&new("shop")).unwrap();
    let (pass, grant) = server.check(secret.reveal()).expect("made while the server runs");
    assert_eq!(*grant, new("shop").grant);
    assert!(server.check(&format!("{}0", secret.reveal())).is_none());
    shell.revoke("shop").unwrap();
    assert!(server.check(secret.reveal()).is_none());
    assert!(server.grant(pass).is_none(), "a connection that is open loses it too");
    assert!(matches!(shell.revoke("shop"), Err(TokenError::Unknown(_))));
}

#[test]
fn a_token_ends_when_it_was_told_to() {
    let (_dir, tokens) = opened();
    let secret = tokens.create(&NewToken { expires_ms: Some(1_000), ..new("a") }).unwrap();
    let pass = Pass::of(secret.reveal());
    assert!(tokens.grant_at(pass, 999).is_some());
    assert!(tokens.grant_at(pass, 1_000).is_none());
    assert!(tokens.check(secret.reveal()).is_none(), "1970 is over");
}

#[test]
fn what_a_token_is_for_is_kept() {
    let (_dir, tokens) = opened();
    let grant = Grant {
        name: "narrow".into(),
        caller: Caller {
            secrets: true,
            components: Some(["acme:".to_owned()].into()),
            writes: Some(["acme:x:".to_owned()].into()),
            token: Some("narrow".into()),
            ..Caller::with(Scope::ALL)
        },
        methods: Some(["payecs_advance".to_owned()].into()),
    };
    let secret =
        tokens.create(&NewToken { grant: grant.clone(), expires_ms: Some(u64::MAX) }).unwrap();
    assert_eq!(*tokens.check(secret.reveal()).unwrap().1, grant);
    let listed = tokens.list().unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((&listed[0].grant, listed[0].expires_ms), (&grant, Some(u64::MAX)));
}

#[test]
fn no_token_is_written_down_or_printed() {
    let (_dir, tokens) = opened();
    let secret = tokens.create(&new("shop")).unwrap();
    let random = secret.reveal().strip_prefix(PREFIX).unwrap();
    assert_eq!(random.len(), 64, "256 bits");
    let text = fs::read_to_string(file::path(&tokens.dir)).unwrap();
    assert!(!text.contains(random), "{text}");
    for printed in [format!("{secret:?}"), format!("{tokens:?}")] {
        assert!(!printed.contains(random), "{printed}");
    }
}

#[test]
fn files_are_for_their_owner_alone() {
    let dir = tempdir().unwrap();
    let inner = dir.path().join("access");
    fs::create_dir(&inner).unwrap();
    fs::set_permissions(&inner, fs::Permissions::from_mode(0o755)).unwrap();
    let mut tokens = Tokens::open(&inner).unwrap();
    tokens.create(&new("shop")).unwrap();
    let cookie = tokens.renew_cookie().unwrap();
    assert_eq!(mode(&inner), 0o700);
    for path in [file::path(&inner), cookie, inner.join("tokens.lock")] {
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[test]
fn a_cookie_is_the_owner_until_the_next_start() {
    let (_dir, mut server) = opened();
    server.renew_cookie().unwrap();
    let first = Tokens::read_cookie(&server.dir).unwrap();
    assert_eq!(*server.check(first.reveal()).unwrap().1, Grant::owner("cookie"));
    server.renew_cookie().unwrap();
    assert!(server.check(first.reveal()).is_none());
    let second = Tokens::read_cookie(&server.dir).unwrap();
    assert!(server.check(second.reveal()).is_some());
}

#[test]
fn what_can_not_be_a_token_is_refused_and_nothing_is_written() {
    let (_dir, tokens) = opened();
    tokens.create(&new("shop")).unwrap();
    let before = fs::read_to_string(file::path(&tokens.dir)).unwrap();
    let long = "x".repeat(65);
    for name in ["", "a b", "cookie", "ü", &long, "shop"] {
        assert!(tokens.create(&new(name)).is_err(), "{name}");
    }
    let none = Grant { caller: Caller::with([]), ..Grant::owner("none") };
    let none = tokens.create(&NewToken { grant: none, expires_ms: None });
    assert!(matches!(none, Err(TokenError::NoScope)));
    assert_eq!(fs::read_to_string(file::path(&tokens.dir)).unwrap(), before);
}

#[test]
fn a_damaged_file_is_named_at_the_start_and_counts_for_nothing_later() {
    let (_dir, mut server) = opened();
    let secret = server.create(&new("shop")).unwrap();
    server.renew_cookie().unwrap();
    assert!(server.check(secret.reveal()).is_some());
    for text in ["{", "[{\"name\":\"shop\"}]", "[1e999999999]"] {
        fs::write(file::path(&server.dir), text).unwrap();
        assert!(server.check(secret.reveal()).is_none(), "{text}");
        assert!(matches!(Tokens::open(&server.dir), Err(TokenError::Damaged(..))), "{text}");
    }
    let cookie = Tokens::read_cookie(&server.dir).unwrap();
    assert!(server.check(cookie.reveal()).is_some(), "the cookie is elsewhere");
}

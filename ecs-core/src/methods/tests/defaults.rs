//! Setting the default list of Systems.

use super::*;

#[test]
fn default_systems_are_set_around_and_into_what_is_there() {
    let mut app = Engine::new();
    for name in ["acme:one", "acme:two", "acme:mine"] {
        let def = system(name).requires(["acme:x"]);
        app.add_payment_system(def, |_: On| Ok(Step::wait())).unwrap();
    }
    app.set_default_systems(&["acme:one", "acme:two"]).unwrap();
    app.set_replaceable_systems(&["acme:one"]).unwrap();
    let is = r#"{"entity":1,"lightningd:systems":"#;
    let one_two = format!(r#"{is}{{"systems":["acme:one","acme:two"]}}}}"#);
    let around = format!(
        r#"{is}{{"systems":["acme:mine","acme:one","acme:two","acme:mine","acme:one"]}}}}"#
    );
    let in_place =
        format!(r#"{is}{{"current":0,"note":"n","systems":["acme:mine","acme:two"]}}}}"#);
    let read = r#"[1,"lightningd:systems"]"#;
    check(
        &mut app,
        &[
            ("getdefaultsystems", "[]", r#"{"systems":["acme:one","acme:two"]}"#),
            ("setdefaultsystems", "[1]", "{}"),
            ("getcomponents", read, &one_two),
            ("setdefaultsystems", r#"[1,"acme:mine",["acme:mine","acme:one"]]"#, "{}"),
            ("getcomponents", read, &around),
            ("setdefaultsystems", r#"[1,"acme:gone"]"#, "-32602 Unregistered system: acme:gone"),
            ("setdefaultsystems", r#"[1,[],["x"]]"#, "-32602 Unregistered system: x"),
            ("getcomponents", read, &around),
            ("setcomponents", r#"[{"entity":1,"lightningd:systems":7}]"#, "{}"),
            ("setdefaultsystems", "[1]", "{}"),
            ("getcomponents", read, &one_two),
            (
                "setcomponents",
                r#"[{"entity":1,"lightningd:systems":{"note":"n","systems":"x","current":0}}]"#,
                "{}",
            ),
            ("setdefaultsystems", r#"{"entity":1,"replace":{"acme:one":"acme:mine"}}"#, "{}"),
            ("getcomponents", read, &in_place),
            (
                "setdefaultsystems",
                r#"{"entity":1,"replace":{"acme:two":"acme:mine"}}"#,
                "-32602 System `acme:two` cannot be replaced",
            ),
            (
                "setdefaultsystems",
                r#"{"entity":1,"replace":{"acme:one":"acme:gone"}}"#,
                "-32602 Unregistered system: acme:gone",
            ),
            (
                "setdefaultsystems",
                r#"{"entity":1,"replace":[["acme:one","acme:mine"]]}"#,
                "-32602 `replace`: expected an object…",
            ),
        ],
    );
    let many = vec!["acme:mine"; 255];
    let params = format!("[1,{}]", Json::of(&many));
    assert!(call(&mut app, "setdefaultsystems", &params).starts_with("-32602 a list holds"));
}

#[test]
fn systems_go_right_before_or_after_one_of_the_default_list() {
    let mut app = Engine::new();
    for name in ["acme:one", "acme:two", "acme:a", "acme:b"] {
        let def = system(name).requires(["acme:x"]);
        app.add_payment_system(def, |_: On| Ok(Step::wait())).unwrap();
    }
    app.set_default_systems(&["acme:one", "acme:two"]).unwrap();
    app.set_replaceable_systems(&["acme:one"]).unwrap();
    for (beside, list) in [
        (r#""before":{"acme:two":"acme:a"}"#, r#"["acme:one","acme:a","acme:two"]"#),
        (
            r#""before":{"acme:one":["acme:a","acme:b"]},"after":{"acme:one":"acme:a"}"#,
            r#"["acme:a","acme:b","acme:one","acme:a","acme:two"]"#,
        ),
        (
            r#""replace":{"acme:one":"acme:b"},"after":{"acme:one":["acme:a"]},"append":"acme:b""#,
            r#"["acme:b","acme:a","acme:two","acme:b"]"#,
        ),
        (r#""after":{"acme:two":[]}"#, r#"["acme:one","acme:two"]"#),
    ] {
        let params = format!(r#"{{"entity":1,{beside}}}"#);
        assert_eq!(call(&mut app, "setdefaultsystems", &params), "{}", "{beside}");
        let read = call(&mut app, "getcomponents", r#"[1,"lightningd:systems"]"#);
        assert!(read.ends_with(&format!(r#"{{"systems":{list}}}}}"#)), "{beside}: {read}");
    }
    let before = app.snapshot();
    for (beside, refused) in [
        (r#""before":{"acme:a":"acme:b"}"#, "`before`: System `acme:a` is not in the default list"),
        (r#""after":{"acme:one":"acme:gone"}"#, "Unregistered system: acme:gone"),
        (r#""after":{"acme:one":7}"#, "`after`: expected an object"),
        (r#""after":["acme:one"]"#, "`after`: expected an object"),
        (r#""after":{"acme:one":"acme:a","acme:one":"acme:b"}"#, "`acme:one` is given twice"),
    ] {
        let params = format!(r#"{{"entity":1,{beside}}}"#);
        let said = call(&mut app, "setdefaultsystems", &params);
        assert!(said.starts_with("-32602 ") && said.contains(refused), "{beside}: {said}");
    }
    assert_eq!(app.snapshot(), before, "nothing was written");
}

#[test]
fn systems_are_put_beside_the_flow_for_everybody_and_stay_over_a_restart() {
    let mut app = Engine::new();
    for name in ["acme:one", "acme:two", "acme:mine", "acme:other"] {
        let def = system(name).requires(["acme:x"]);
        app.add_payment_system(def, |_: On| Ok(Step::wait())).unwrap();
    }
    app.set_default_systems(&["acme:one", "acme:two"]).unwrap();
    let list = r#""systems":["acme:one","acme:mine","acme:two","acme:other"]"#;
    let additions = r#"{"append":["acme:other"],"before":{"acme:two":["acme:mine"]}}"#;
    let changed = &format!(r#"{{{list},"additions":{additions}}}"#);
    check(
        &mut app,
        &[
            ("changedefaultsystems", "[]", r#"{"systems":["acme:one","acme:two"]}"#),
            (
                "changedefaultsystems",
                r#"{"append":"acme:other","before":{"acme:two":["acme:mine"]}}"#,
                changed,
            ),
            ("getdefaultsystems", "[]", changed),
            ("changedefaultsystems", r#"["acme:gone"]"#, "-32602 Unregistered system: acme:gone"),
            (
                "changedefaultsystems",
                r#"["acme:mine"]"#,
                "-32602 System `acme:mine` is named twice",
            ),
            (
                "changedefaultsystems",
                r#"["acme:one"]"#,
                "-32602 System `acme:one` is part of the flow already",
            ),
            (
                "changedefaultsystems",
                r#"{"after":{"acme:other":["acme:mine"]},"before":{}}"#,
                "-32602 System `acme:other` is not part of the flow",
            ),
            ("getdefaultsystems", "[]", changed),
        ],
    );
    let mut other = Engine::new();
    let def = system("acme:one").requires(["acme:x"]);
    other.add_payment_system(def, |_: On| Ok(Step::wait())).unwrap();
    other.set_default_systems(&["acme:one"]).unwrap();
    other.restore(&app.snapshot()).unwrap();
    assert_eq!(other.additions(), app.additions());
    let names: Vec<&str> = other.default_systems().iter().map(|name| &**name).collect();
    assert_eq!(names, ["acme:mine", "acme:one", "acme:other"], "what is strayed goes first");
    check(
        &mut app,
        &[(
            "changedefaultsystems",
            r#"{"append":[],"before":{}}"#,
            r#"{"systems":["acme:one","acme:two"]}"#,
        )],
    );
    assert!(app.additions().is_empty());
}

//! `autoclean-once` and `autoclean-status`, and what is cleaned by itself.

use super::{PREIMAGE, asked_for, merchant, paycode, status_of};
use crate::{
    calls::{field, json},
    harness::Payer,
    receiving::{carol_sends, status},
};
use ecs_core::Json;
use ecs_systems::{
    methods::CLEANED_PER_RECORD_MAX,
    policy::{Autoclean, Intake},
    port::{OverKind, PartStatus},
    units::{Msat, Seconds},
};

/// A field of what is told of a subsystem, as JSON text.
pub(crate) fn told(answer: &Json, subsystem: &str, name: &str) -> String {
    field(&json(&field(&json(&field(answer, "autoclean")), subsystem)), name)
}

/// Cleans, and answers how many are gone and how many are over and still there.
pub(crate) fn clean(payer: &mut Payer, subsystem: &str, age_s: u64) -> [String; 2] {
    let params = format!("[\"{subsystem}\",{age_s}]");
    let answer = payer.call("autoclean-once", &params).expect(&params);
    ["cleaned", "uncleaned"].map(|name| told(&answer, subsystem, name))
}

/// How many of that kind were cleaned away ever.
pub(crate) fn ever(payer: &mut Payer, subsystem: &str) -> String {
    let answer = payer.call("autoclean-status", &format!("[\"{subsystem}\"]")).expect("a status");
    told(&answer, subsystem, "cleaned")
}

/// From now on an operator wants that.
pub(crate) fn set(payer: &mut Payer, cycle_s: u64, ages: &[(OverKind, u64)]) {
    let ages = ages.iter().map(|(kind, age_s)| (*kind, Seconds(*age_s))).collect();
    let wanted = Autoclean { cycle: Seconds(cycle_s), ages };
    payer.driver.change_autoclean(|autoclean| *autoclean = wanted);
}

fn counts(cleaned: u64, uncleaned: u64) -> [String; 2] {
    [cleaned, uncleaned].map(|count| count.to_string())
}

fn receipts(payer: &Payer) -> usize {
    payer.receipts.lock().count()
}

#[test]
fn what_is_not_cleaned_here_or_is_no_age_is_refused_and_why() {
    let mut payer = merchant();
    let others = ["succeededpays", "failedpays", "succeededforwards", "failedforwards"];
    for other in others.into_iter().chain(["networkevents", "invoices", "PaidInvoices", ""]) {
        for (method, params) in [
            ("autoclean-once", format!("[\"{other}\",1]")),
            ("autoclean-status", format!("[\"{other}\"]")),
        ] {
            let (code, why) = payer.refused(method, &params);
            assert_eq!(code, -32602, "{other}");
            for said in ["`expiredpaycodes`", "engine collects by itself", "are the node's"] {
                assert!(why.contains(said), "{why}");
            }
        }
    }
    for (params, named) in [
        ("[]", "subsystem"),
        ("[\"paidpaycodes\"]", "age"),
        ("[\"paidpaycodes\",-1]", "age"),
        ("[\"paidpaycodes\",1.5]", "age"),
        ("[\"paidpaycodes\",\"old\"]", "age"),
        ("[\"paidpaycodes\",null]", "age"),
        ("[7,1]", "subsystem"),
        ("[\"paidpaycodes\",1,1]", ""),
    ] {
        let (code, why) = payer.refused("autoclean-once", params);
        assert!(code == -32602 && why.contains(named), "{params}: {code} {why}");
    }
    assert_eq!(receipts(&payer), 0);
}

#[test]
fn what_is_over_long_enough_is_deleted_and_nothing_else() {
    let mut payer = merchant();
    let waits = paycode(&mut payer, "[1000,600]");
    let expires = paycode(&mut payer, "[1000,10]");
    let params = format!("{{\"amount_msat\":1000,\"preimage\":\"{}\"}}", PREIMAGE.reveal());
    let pays = paycode(&mut payer, &params);
    carol_sends(&mut payer, pays.whole(1_000));
    let cancels = paycode(&mut payer, "[1000]");
    payer.call("cancelpaycode", &asked_for(cancels.hash, "")).unwrap();
    payer.call("invoice", "[1000,\"tea\",\"tea\",10]").unwrap();
    payer.run_for(18_000);
    // The paid one is about 20 s old, the cancelled one 18, the expired one 10.
    assert_eq!(clean(&mut payer, "paidpaycodes", 60), counts(0, 1));
    assert_eq!(clean(&mut payer, "paidpaycodes", u64::MAX), counts(0, 1));
    assert_eq!(clean(&mut payer, "expiredpaycodes", 30), counts(0, 2));
    assert_eq!(receipts(&payer), 5, "nothing is old enough");
    assert_eq!(clean(&mut payer, "expiredpaycodes", 18), counts(1, 1));
    let gone = payer.refused("waitpaycode", &asked_for(cancels.hash, ""));
    assert_eq!(gone.0, 905);
    assert_eq!(status_of(&mut payer, &expires), "expired");
    assert_eq!(clean(&mut payer, "expiredpaycodes", 0), counts(1, 0));
    assert_eq!(clean(&mut payer, "paidpaycodes", 10), counts(1, 0));
    assert_eq!(status_of(&mut payer, &waits), "unpaid");
    assert_eq!(receipts(&payer), 2, "one waits, the other has an invoice");
    let again = payer.refused("paycode", &params);
    assert_eq!(again.0, 901, "others know the preimage of what was paid");
    let answer = payer.call("autoclean-status", "[]").unwrap();
    let cleaned = ["paidinvoices", "expiredinvoices", "paidpaycodes", "expiredpaycodes"]
        .map(|subsystem| told(&answer, subsystem, "cleaned"));
    assert_eq!(cleaned, ["0", "0", "1", "2"]);
    payer.assert_books_agree();
}

#[test]
fn what_is_being_received_for_is_never_cleaned() {
    for (hold, sent) in [(false, 500), (true, 1_000)] {
        let mut payer = merchant();
        let params = format!("{{\"amount_msat\":1000,\"timeout\":10,\"hold\":{hold}}}");
        let made = paycode(&mut payer, &params);
        let part = carol_sends(&mut payer, made.whole(1_000).of_it(Msat(sent)));
        set(&mut payer, 1, &[(OverKind::ExpiredPaycodes, 1)]);
        payer.run_for(20_000);
        let is = status_of(&mut payer, &made);
        assert_eq!(is, if hold { "held" } else { "receiving" }, "it came in time");
        assert_eq!(clean(&mut payer, "expiredpaycodes", 0), counts(0, 1));
        if hold {
            payer.call("settlepaycode", &asked_for(made.hash, "")).unwrap();
        } else {
            let rest = carol_sends(&mut payer, made.whole(1_000).of_it(Msat(500)));
            assert!(matches!(status(&payer, rest), PartStatus::Paid { .. }));
        }
        payer.run_for(2_000);
        assert!(matches!(status(&payer, part), PartStatus::Paid { .. }));
        assert_eq!(clean(&mut payer, "paidpaycodes", 0), counts(1, 0));
        payer.assert_books_agree();
    }
}

#[test]
fn no_record_deletes_more_than_a_hundred_and_others_have_their_turn_between() {
    let mut payer = merchant();
    payer.crash_and_journal();
    payer.keep();
    let made: usize = 2 * CLEANED_PER_RECORD_MAX + 50;
    for _ in 0..made {
        let call = payer.begin_call("paycode", "[1000,10]");
        payer.keep();
        payer.finish_call(&call).expect("a paycode");
    }
    payer.run_for(20_000);
    payer.keep();
    let call = payer.begin_call("autoclean-once", "[\"expiredpaycodes\",5]");
    assert_eq!(receipts(&payer), made, "it has only begun");
    let now = payer.now;
    for left in [made - 100, made - 200, 0] {
        assert_eq!(call.answered(), None);
        assert_eq!(payer.driver.next_at(), Some(now), "there is more to do");
        payer.driver.poll(now);
        assert_eq!(receipts(&payer), left);
        let of_records: Vec<usize> =
            payer.driver.take_records().iter().map(|it| lines(&it.delta)).collect();
        let most = of_records.iter().max().copied().unwrap_or_default();
        assert!(most <= CLEANED_PER_RECORD_MAX && of_records.iter().sum::<usize>() > 0);
    }
    assert_eq!(call.answered(), None, "its last record is not kept");
    payer.keep();
    let answer = call.answered().expect("it is kept").expect("an answer");
    assert_eq!(told(&answer, "expiredpaycodes", "cleaned"), made.to_string());
    assert_eq!(payer.driver.waiters(), 0);
}

/// How many lines a record has.
fn lines(delta: &ecs_core::Delta) -> usize {
    let lines = |change: &ecs_core::Change| {
        let ecs_core::Change::Lines(_, lines) = change else { return 0 };
        lines.len()
    };
    delta.changes.iter().map(lines).sum()
}

#[test]
fn what_was_cleaned_stays_so_and_is_counted_after_a_crash() {
    let mut payer = merchant();
    for _ in 0..3 {
        paycode(&mut payer, "[1000,1]");
    }
    payer.run_for(5_000);
    assert_eq!(clean(&mut payer, "expiredpaycodes", 1), counts(3, 0));
    paycode(&mut payer, "[1000,1]");
    payer.run_for(5_000);
    let lost = payer.begin_call("autoclean-once", "[\"expiredpaycodes\",1]");
    payer.crash();
    payer.run_for(1_000);
    assert_eq!((lost.answered(), receipts(&payer)), (None, 1), "the rest stays");
    assert_eq!(ever(&mut payer, "expiredpaycodes"), "3");
    assert_eq!(clean(&mut payer, "expiredpaycodes", 1), counts(1, 0));
    assert_eq!(ever(&mut payer, "expiredpaycodes"), "4");
}

#[test]
fn each_deletion_is_one_that_wait_tells_of() {
    let mut payer = merchant();
    for _ in 0..3 {
        paycode(&mut payer, "[1000,1]");
    }
    payer.run_for(5_000);
    let waiting = payer.begin_call("wait", "[\"paycodes\",\"deleted\",3]");
    let more = payer.begin_call("wait", "[\"paycodes\",\"deleted\",4]");
    clean(&mut payer, "expiredpaycodes", 0);
    payer.run_for(1);
    let told = waiting.answered().expect("an answer").expect("a count");
    assert_eq!(field(&told, "deleted"), "3");
    assert_eq!(more.answered(), None);
}

#[test]
fn what_is_as_old_as_it_may_get_goes_by_itself_once_in_each_cycle() {
    let mut idle = merchant();
    paycode(&mut idle, "[1000,1]");
    idle.run_for(7_200_000);
    assert_eq!(receipts(&idle), 1, "by default nothing is cleaned");
    let mut payer = merchant();
    paycode(&mut payer, "[1000,1]");
    payer.run_for(10_000);
    let answer = payer.call("autoclean-status", "[\"expiredpaycodes\"]").unwrap();
    let status = |answer: &Json| {
        ["enabled", "age", "cleaned"].map(|name| told(answer, "expiredpaycodes", name))
    };
    assert_eq!(status(&answer), ["false", "", "0"]);
    set(&mut payer, 100, &[(OverKind::ExpiredPaycodes, 60), (OverKind::PaidPaycodes, 0)]);
    payer.run_for(1);
    let answer = payer.call("autoclean-status", "{}").unwrap();
    assert_eq!(status(&answer), ["true", "60", "0"]);
    assert_eq!(told(&answer, "paidpaycodes", "enabled"), "false", "0 is never");
    payer.run_for(99_990);
    assert_eq!(receipts(&payer), 1, "its turn has not come, though it is old enough");
    payer.run_for(10);
    assert_eq!((receipts(&payer), ever(&mut payer, "expiredpaycodes").as_str()), (0, "1"));
    paycode(&mut payer, "[1000,1]");
    payer.run_for(50_000);
    // A start looks at once, so that whoever starts often cleans too.
    payer.crash();
    set(&mut payer, 100, &[(OverKind::ExpiredPaycodes, 60)]);
    payer.run_for(1);
    assert_eq!(receipts(&payer), 1, "it is not old enough");
    payer.run_for(100_000);
    assert_eq!((receipts(&payer), ever(&mut payer, "expiredpaycodes").as_str()), (0, "2"));
}

#[test]
fn nothing_is_cleaned_while_new_work_is_not_taken_on() {
    let mut payer = merchant();
    paycode(&mut payer, "[1000,1]");
    payer.run_for(10_000);
    set(&mut payer, 1, &[(OverKind::ExpiredPaycodes, 1)]);
    payer.driver.set_disk_low(true);
    assert_eq!(payer.refused("autoclean-once", "[\"expiredpaycodes\",1]").0, 2330);
    payer.run_for(10_000);
    assert_eq!(receipts(&payer), 1);
    payer.driver.set_disk_low(false);
    assert!(!payer.driver.engine().resource::<Intake>().unwrap().disk_low);
    payer.run_for(1_000);
    assert_eq!(receipts(&payer), 0);
}

#[test]
fn so_many_cleanings_are_under_way_and_no_more() {
    let mut payer = merchant();
    let begun: Vec<_> =
        (0..16).map(|_| payer.begin_call("autoclean-once", "[\"paidpaycodes\",1]")).collect();
    assert_eq!(payer.refused("autoclean-once", "[\"paidpaycodes\",1]").0, 2340);
    payer.run_for(1);
    assert!(begun.iter().all(|call| call.answered().is_some()));
    assert_eq!(clean(&mut payer, "paidpaycodes", 1), counts(0, 0));
}

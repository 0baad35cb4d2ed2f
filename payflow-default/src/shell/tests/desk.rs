//! Reads that don't wake the shell.

use super::{super::desk::Desk, driver, network, shell, *};

fn own() -> (Desk, Own) {
    (Desk::default(), Own::new(driver(network().connect(START))))
}

#[test]
fn the_driver_is_looked_at_only_while_it_lies_there_and_no_command_waits() {
    let (desk, mut own) = own();
    let looks = || desk.look(|_| Some(())).is_some();
    assert!(!looks(), "the shell is awake");
    let loan = desk.lay(&mut own);
    assert!(looks());
    desk.one_comes();
    assert!(!looks(), "whoever gave it must see what came of it");
    desk.one_is_done();
    assert!(looks());
    drop(loan);
    assert!(!looks());
    assert_eq!(own.into_inner().now(), START, "and the shell has it back");
}

#[test]
fn a_full_disk_refuses_looks_as_it_does_calls() {
    let (desk, mut own) = own();
    let _loan = desk.lay(&mut own);
    desk.set_full(true);
    assert_eq!(desk.look(|_| Some(())), None);
    desk.set_full(false);
    assert_eq!(desk.look(|driver| Some(driver.now())), Some(START));
}

#[test]
fn who_waits_for_the_driver_waits_for_the_look_at_it() {
    let (desk, mut own) = own();
    let (begun, hears) = std::sync::mpsc::channel();
    let (ends, is_over) = std::sync::mpsc::channel::<()>();
    let loan = desk.lay(&mut own);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let looked = desk.look(move |driver| {
                begun.send(()).unwrap();
                is_over.recv().unwrap();
                driver.poll(START.after_ms(7));
                Some(())
            });
            assert_eq!(looked, Some(()));
        });
        hears.recv().unwrap();
        let taker = scope.spawn(move || drop(loan));
        ends.send(()).unwrap();
        reader.join().unwrap();
        taker.join().unwrap();
    });
    assert_eq!(own.into_inner().now(), START.after_ms(7), "nothing of the look is lost");
}

#[test]
fn who_wrote_before_reads_what_was_written() {
    let network = network();
    let (shell, handle) = shell(&network, Limits::default());
    let thread = shell.run_on_thread().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let call = |name: &'static str, params: String| {
        let (params, owner) = (Json::parse(&params).unwrap(), Caller::owner());
        let handle = handle.clone();
        async move {
            match handle.look(&owner, name, Some(&params)) {
                Some(outcome) => (outcome, true),
                None => (handle.call_method(owner, name, Some(params)).await, false),
            }
        }
    };
    let mut looked = [0, 0];
    runtime.block_on(async {
        let read = || call("payecs_getcomponents", r#"[7,["acme:x"]]"#.to_owned());
        for number in 0..1_000 {
            let write = format!(r#"[{{"entity":7,"acme:x":{number}}}]"#);
            let (written, after) = tokio::join!(call("payecs_setcomponents", write), read());
            assert_eq!(written.0.unwrap().text(), "{}");
            if number % 2 == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            for (answer, at_once) in [after, read().await] {
                let said = answer.unwrap();
                assert_eq!(said.text(), format!(r#"{{"entity":7,"acme:x":{number}}}"#));
                looked[usize::from(at_once)] += 1;
            }
        }
        let (unknown, _) = call("payecs_getcomponents", r#"[0,"acme:x"]"#.to_owned()).await;
        assert_eq!(unknown.unwrap_err().code, -32_602);
    });
    assert!(looked.iter().all(|count| *count > 0), "both ways were gone: {looked:?}");
    handle.stop();
    let ended = thread.join().unwrap();
    assert!(ended.journal.is_ok());
    let (refused, _) = runtime.block_on(call("payecs_getcomponents", r#"[7,"acme:x"]"#.to_owned()));
    assert_eq!(refused.unwrap_err().code, -5);
}

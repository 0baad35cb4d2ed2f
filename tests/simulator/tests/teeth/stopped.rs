//! Systems that would do harm and that the engine stops: what each wants, and how its payment ends.

use ecs_core::{
    Answer, Engine, Error, Json, On, Plugin, Record, Step, SystemDef, Systems, Write, system,
};
use ecs_systems::{
    components::{Amount, FeeBudget, Invoice, Remaining, RetryFor},
    units::Msat,
};
use node_sim::{Fact, SimConfig, SimNetwork};
use payflow_default::{
    flow::DEFAULT_FLOW,
    testing::{
        flow::{Bench, Ended, Flow},
        strategies::Wanted,
    },
};

const AMOUNT: Msat = Msat(1_000_000);

/// A System of a third party that stands before the default ones.
#[derive(Clone, Copy)]
struct Row {
    wants: &'static str,
    /// It matches once where this is attached.
    on: &'static str,
    does: fn() -> Answer,
    /// How the payment ends: 0 where it is paid as if the System were not there.
    code: i32,
}

const ROWS: &[Row] = &[
    row("a larger fee budget after the claim", "lightningd:claim", 2_205, || {
        Ok(done().attach(&FeeBudget(Msat(u64::MAX))))
    }),
    row("another amount after the claim", "lightningd:claim", 2_205, || {
        Ok(done().attach(&Amount(Msat(2_000_000))))
    }),
    row("another invoice after the claim", "lightningd:claim", 2_205, || {
        Ok(done().attach(&Invoice(Json::of("lnbcrt1"))))
    }),
    row("more time after the claim", "lightningd:reservation", 2_205, || {
        Ok(done().attach(&RetryFor(Json::of(&86_400))))
    }),
    row("a plan of its own", "lightningd:plan", -32_602, || {
        Ok(done().attach_json("lightningd:plan", Json::object([("routes", Json::yes())])))
    }),
    row("more to be sent", "lightningd:parts:open", -32_602, || {
        Ok(done().attach(&Remaining(AMOUNT)))
    }),
    row("another reservation", "lightningd:reservation", 2_205, || {
        Ok(done().detach_name("lightningd:reservation"))
    }),
    row("a preimage that is none", "lightningd:claim", -32_602, || {
        Ok(done().attach_json("lightningd:preimage", Json::of(&"00".repeat(32))))
    }),
    row("an end while parts are out", "lightningd:parts:open", 2_205, || {
        Ok(done().detach::<Systems>())
    }),
    row("a line in the books", "lightningd:claim", -32_602, || {
        Ok(done().record(Record::new("ledger:complete", Json::yes())))
    }),
    row("a list that does not book", "lightningd:invoice", -32_602, || {
        let names = DEFAULT_FLOW.iter().filter(|name| **name != "lightningd:settle");
        Ok(done().attach(&Systems::listing(names)))
    }),
    row("rest without end", "lightningd:claim", 2_201, || Ok(Step::wait())),
    row("a turn without end", "lightningd:claim", 2_202, || Ok(Step::advance())),
];

const fn row(wants: &'static str, on: &'static str, code: i32, does: fn() -> Answer) -> Row {
    Row { wants, on, does, code }
}

fn done() -> Step {
    Step::advance().attach_json("acme:done", Json::yes())
}

impl Plugin for Row {
    fn name(&self) -> &'static str {
        "acme"
    }

    fn build(&self, app: &mut Engine) -> Result<(), Error> {
        let def: SystemDef = system("acme:harm")
            .requires(["lightningd:main-payment", self.on])
            .disallows(["acme:done", "lightningd:failing", "lightningd:preimage"]);
        let does = self.does;
        app.add_payment_system(def, move |_: On| does())
    }
}

/// Pays an invoice beside a System; how that ended, and what really left us.
fn pay_beside(plugin: impl Plugin + Send + Sync + 'static) -> (Ended, u64) {
    let network = SimNetwork::new(SimConfig { nodes: 10, ..SimConfig::default() });
    let network = network.expect("a network of that size");
    let mut bench = Bench::new(&network, &Flow::of(plugin, ["acme:harm"], []));
    let wanted = Wanted { payee: 3, amount: AMOUNT, several_parts: true };
    let invoice = wanted.issue(&network, bench.now);
    let ended = bench.pay(&invoice, Write::here());
    assert_eq!(bench.money_is_whole(), Ok(()), "{ended:?}");
    let paid = network.truth(0).into_iter().filter_map(|record| {
        let Fact::PartPaid { sent_msat, .. } = record.fact else { return None };
        Some(sent_msat.0)
    });
    (ended, paid.sum())
}

#[test]
fn what_a_third_party_must_not_do_ends_its_payment_and_moves_no_money() {
    for row in ROWS {
        let (ended, paid) = pay_beside(*row);
        assert_eq!(ended.code, row.code, "{}: {ended:?}", row.wants);
        let said = ended.fee.filter(|_| ended.status == "complete");
        assert_eq!(paid, said.map_or(0, |fee| fee.0 + AMOUNT.0), "{}", row.wants);
    }
}

/// One of the flow's own, which may write everything: it has everything sent again while the
/// first parts are out.
struct Again;

impl Plugin for Again {
    fn name(&self) -> &'static str {
        "acme"
    }

    fn build(&self, app: &mut Engine) -> Result<(), Error> {
        let sent = system("acme:harm")
            .requires(["lightningd:main-payment", "lightningd:parts:open"])
            .disallows(["acme:done", "lightningd:failing", "lightningd:preimage"]);
        app.add_system(sent, |_: On| Ok(done().attach(&Remaining(AMOUNT))))
    }
}

#[test]
fn books_do_not_let_a_system_of_the_flow_send_more_than_was_reserved() {
    let (ended, paid) = pay_beside(Again);
    assert!(ended.ran.iter().any(|system| system == "acme:harm"), "{ended:?}");
    let fee = ended.fee.map_or(0, |fee| fee.0);
    assert_eq!((&*ended.status, paid), ("complete", AMOUNT.0 + fee), "{ended:?}");
}

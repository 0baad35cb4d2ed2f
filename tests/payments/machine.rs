//! Payments, cancels, passing time and crashes in any order, against a model that knows how each
//! payment may end where nothing goes wrong in the network.

use crate::{
    harness::{Outcome, Payer},
    nets,
    random::cases,
};
use ecs_core::Write;
use ecs_systems::{components::Cancel, units::Msat};
use node_sim::InvoiceRequest;
use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use std::collections::BTreeSet;

/// Everything that was started is over by then.
const CALM_MS: u64 = 30_000;

/// One step of a story.
#[derive(Clone, Debug)]
enum Step {
    Pay(Msat),
    Again(usize),
    Cancel(usize),
    Pass(u64),
    /// So much time passes that nothing is under way any more.
    Calm,
    Crash,
    Restart,
}

/// How a payment may end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Paid,
    Replayed,
    InProgress,
    Cancelled,
}

/// Whether a hash was paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Yes,
    No,
    Perhaps,
}

/// An invoice and what is known of it.
#[derive(Clone, Debug)]
struct Sold {
    amount: Msat,
    paid: Known,
    may_be_open: bool,
}

/// A payment: of which invoice, and how it may end.
#[derive(Clone, Debug)]
struct Paying {
    invoice: usize,
    ends: BTreeSet<End>,
    over: bool,
}

/// What must be true.
#[derive(Clone, Debug, Default)]
struct Model {
    sold: Vec<Sold>,
    payments: Vec<Paying>,
}

impl Model {
    fn pay(&mut self, invoice: usize) {
        let sold = &mut self.sold[invoice];
        let failed_before = self.payments.iter().any(|other| {
            other.invoice == invoice && !other.over && other.ends.contains(&End::Cancelled)
        });
        let ends = match (sold.may_be_open, sold.paid) {
            (true, _) if failed_before => vec![End::InProgress, End::Replayed, End::Paid],
            (true, _) => vec![End::InProgress, End::Replayed],
            (false, Known::Yes) => vec![End::Replayed],
            (false, Known::No) => vec![End::Paid],
            (false, Known::Perhaps) => vec![End::Replayed, End::Paid],
        };
        sold.may_be_open = true;
        self.payments.push(Paying { invoice, ends: ends.into_iter().collect(), over: false });
    }

    fn calm(&mut self) {
        for (number, sold) in self.sold.iter_mut().enumerate() {
            let surely = |paying: &Paying| {
                paying.ends.iter().all(|end| matches!(end, End::Paid | End::Replayed))
            };
            let of_it = self.payments.iter().filter(|paying| paying.invoice == number);
            sold.paid = if of_it.clone().any(surely) { Known::Yes } else { Known::Perhaps };
            sold.may_be_open = false;
        }
        for paying in &mut self.payments {
            paying.over = true;
        }
    }
}

impl ReferenceStateMachine for Model {
    type State = Self;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Self> {
        Just(Self::default()).boxed()
    }

    fn transitions(_: &Self) -> BoxedStrategy<Step> {
        prop_oneof![
            4 => (1_u64..20_000_000).prop_map(|amount| Step::Pay(Msat(amount))),
            2 => (0_usize..8).prop_map(Step::Again),
            2 => (0_usize..8).prop_map(Step::Cancel),
            4 => (1_u64..500).prop_map(Step::Pass),
            1 => Just(Step::Calm),
            2 => Just(Step::Crash),
            1 => Just(Step::Restart),
        ]
        .boxed()
    }

    fn preconditions(model: &Self, step: &Step) -> bool {
        match step {
            Step::Again(which) | Step::Cancel(which) => *which < model.payments.len(),
            Step::Pay(_) => model.sold.len() < 20,
            Step::Pass(_) | Step::Calm | Step::Crash | Step::Restart => true,
        }
    }

    fn apply(mut model: Self, step: &Step) -> Self {
        match step {
            Step::Pay(amount) => {
                model.sold.push(Sold { amount: *amount, paid: Known::No, may_be_open: false });
                model.pay(model.sold.len() - 1);
            }
            Step::Again(which) => model.pay(model.payments[*which].invoice),
            Step::Cancel(which) => {
                if !model.payments[*which].over {
                    model.payments[*which].ends.insert(End::Cancelled);
                }
            }
            Step::Calm => model.calm(),
            Step::Pass(_) | Step::Crash | Step::Restart => {}
        }
        model
    }
}

/// The engine, and the invoices of the model by number.
struct Tested {
    payer: Payer,
    invoices: Vec<String>,
}

impl Tested {
    fn end_of(outcome: &Outcome) -> Option<End> {
        match (outcome.status.as_str(), outcome.code(), outcome.replayed) {
            ("complete", 0, false) => Some(End::Paid),
            ("complete", 0, true) => Some(End::Replayed),
            ("failed", 200, _) => Some(End::InProgress),
            ("failed", 210, _) => Some(End::Cancelled),
            _ => None,
        }
    }

    /// Nothing is under way: every payment ended as it may, and the channel has what it must.
    fn assert_calm(&self, model: &Model) {
        self.payer.assert_books_agree();
        let mut spent = 0;
        for (paying, started) in model.payments.iter().zip(&self.payer.started) {
            let end = Self::end_of(&self.payer.outcome(started.id));
            let end = end.unwrap_or_else(|| panic!("{}", self.payer.story(started.id)));
            assert!(paying.ends.contains(&end), "{paying:?}\n{}", self.payer.story(started.id));
            if end == End::Paid {
                let amount = model.sold[paying.invoice].amount.0;
                spent += amount + 1_000 + amount / 100_000;
            }
        }
        let left = self.payer.network.our_balance()[0].1;
        assert_eq!(left, Msat(nets::HALF.0 - spent));
    }
}

struct Payments;

impl StateMachineTest for Payments {
    type SystemUnderTest = Tested;
    type Reference = Model;

    fn init_test(_: &Model) -> Tested {
        Tested { payer: Payer::new(&nets::line()), invoices: Vec::new() }
    }

    fn apply(mut tested: Tested, model: &Model, step: Step) -> Tested {
        let payer = &mut tested.payer;
        match step {
            Step::Pay(amount) => {
                tested.invoices.push(payer.invoice("carol", InvoiceRequest::of(amount)));
                payer.start(&tested.invoices[tested.invoices.len() - 1], Write::here());
            }
            Step::Again(_) => {
                let latest = model.payments.last().expect("the one to be started");
                payer.start(&tested.invoices[latest.invoice], Write::here());
            }
            Step::Cancel(which) => {
                let id = payer.started[which].id;
                payer.tell(id, Write::here().attach(&Cancel));
            }
            Step::Pass(milliseconds) => payer.run_for(milliseconds),
            Step::Calm => {
                payer.run_for(CALM_MS);
                tested.assert_calm(model);
            }
            Step::Crash => payer.crash(),
            Step::Restart => payer.network.restart(payer.now),
        }
        tested
    }

    fn check_invariants(tested: &Tested, _: &Model) {
        tested.payer.assert_money_is_whole();
    }

    fn teardown(mut tested: Tested, mut model: Model) {
        tested.payer.run_for(CALM_MS);
        model.calm();
        tested.assert_calm(&model);
    }
}

prop_state_machine! {
    #![proptest_config(cases(48))]

    #[test]
    fn payments_cancels_time_and_crashes_in_any_order_end_as_the_model_allows(
        sequential 1..30 => Payments
    );
}

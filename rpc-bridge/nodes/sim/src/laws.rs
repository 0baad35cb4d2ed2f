//! The laws of the `Node` port as tests that every backend runs: see
//! [`node_laws!`](crate::node_laws).

mod tools;
mod parts;
mod requests;

pub use parts::{
    a_paid_part_shows_its_preimage_and_costs_what_it_says,
    a_part_sent_right_before_a_crash_is_not_forgotten, a_part_sent_twice_is_one_htlc,
    after_a_crash_a_final_part_has_the_same_status,
    every_part_becomes_final_and_stays_what_it_became,
    never_arrived_is_said_only_of_parts_that_were_not_submitted,
    parts_are_listed_once_and_in_pages, what_was_polled_is_not_polled_again,
};
pub use requests::{
    an_htlc_is_failed_once_however_often_it_is_asked,
    an_htlc_is_settled_once_however_often_it_is_asked,
    an_invoice_is_signed_by_the_node_and_says_what_the_draft_said,
    every_request_gets_exactly_one_reply, incoming_htlcs_come_again_after_a_crash_until_answered,
};

use ecs_systems::{
    port::{Node, NodeEvent, SendPart},
    units::{Preimage, Timestamp},
};

/// How often a law lets time pass before it gives up.
const WAITS_MAX: u32 = 1_000;
/// How often a law lets time pass to see that nothing more comes.
const QUIET_WAITS: u32 = 50;

/// A node with a network around it, small or large, in which the laws can be tried.
pub trait LawWorld {
    /// The node. After [`LawWorld::crash`] a new connection to the same node.
    fn node(&mut self) -> &mut dyn Node;

    /// The moment it is.
    fn now(&self) -> Timestamp;

    /// Lets time pass until something may have happened, and polls.
    fn wait(&mut self) -> Vec<NodeEvent>;

    /// A part that its payee will take, for a hash of its own.
    fn payable(&mut self) -> SendPart;

    /// A part that its payee will refuse, for a hash of its own.
    fn unpayable(&mut self) -> SendPart;

    /// Lets somebody offer us an HTLC that this preimage unlocks, with expiry enough for the test.
    fn offer(&mut self, preimage: Preimage);

    /// The engine dies, and connects again. What it had not polled, it never sees.
    fn crash(&mut self);
}

/// Makes a test module of the laws for the [`LawWorld`] that an expression makes.
///
/// ```text
/// mod my_node { node_sim::node_laws!(MyWorld::new()); }
/// ```
#[macro_export]
macro_rules! node_laws {
    ($world:expr) => {
        $crate::node_laws!(@each $world;
            every_request_gets_exactly_one_reply
            every_part_becomes_final_and_stays_what_it_became
            a_paid_part_shows_its_preimage_and_costs_what_it_says
            a_part_sent_twice_is_one_htlc
            never_arrived_is_said_only_of_parts_that_were_not_submitted
            after_a_crash_a_final_part_has_the_same_status
            a_part_sent_right_before_a_crash_is_not_forgotten
            what_was_polled_is_not_polled_again
            parts_are_listed_once_and_in_pages
            incoming_htlcs_come_again_after_a_crash_until_answered
            an_htlc_is_settled_once_however_often_it_is_asked
            an_htlc_is_failed_once_however_often_it_is_asked
            an_invoice_is_signed_by_the_node_and_says_what_the_draft_said
        );
    };
    (@each $world:expr; $($law:ident)+) => {
        $(
            #[test]
            fn $law() {
                $crate::laws::$law(&mut $world);
            }
        )+
    };
}

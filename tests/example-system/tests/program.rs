//! The program of one's own does what it says.

#[expect(dead_code, reason = "it has a `main` of its own")]
#[path = "../examples/pay.rs"]
mod pay;

use ecs_systems::units::Msat;
use example_system::OVER_THE_LIMIT;
use pay::MOST;

#[test]
fn what_is_allowed_is_paid_and_what_is_more_fails_with_our_code() {
    let codes = pay::pay(&[MOST, Msat(MOST.0 + 1), Msat(1)]).unwrap();
    assert_eq!(codes, [None, Some(OVER_THE_LIMIT), None]);
}

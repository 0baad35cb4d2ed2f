//! Whole payments through the default flow, over the simulated network on its virtual clock.
//!
//! After each payment three accounts of it have to agree: what its Components say, what the books
//! say, and what really happened in the network. `PROPTEST_CASES` raises the number of random runs.

mod books;
mod harness;
mod calls;
mod invoices;
mod nets;
mod accounts;
mod amounts;
mod refusals;
mod planning;
mod rounds;
mod failures;
mod refused;
mod guards;
mod hashes;
mod keys;
mod ourselves;
mod receiving;
mod around;
mod policy;
mod answers;
mod cancelling;
mod crashes;
mod contradictions;
mod collecting;
mod opening;
mod replay;
mod traces;
mod hostile;
mod scenario;
mod random;
mod machine;
mod methods;
mod paycodes;
mod invoicing;

use payflow_default::testing::difficult;

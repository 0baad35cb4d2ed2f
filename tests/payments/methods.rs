//! The methods of a payer, called as a transport calls them.

mod looking;
mod explaining;
mod paying;
mod telling;
mod layers;

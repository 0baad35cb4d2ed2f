//! What others pay us: HTLCs that come in for a receipt of ours, right ones and wrong ones, and
//! what is decided about the sets that they are.

use crate::{
    act::Command,
    choice::Choice,
    incoming::{Came, Incoming},
    machine::{Machine, channels},
    world::{AMOUNT_MSAT, START_MS, preimage, secret},
};
use ecs_core::{EntityId, Json, Systems, Write, Writer};
use ecs_systems::{
    components::{Held, Hold, Htlc, Set, SetHeld, SetReceived, SetSettling},
    port::{Chosen, HtlcId, IncomingHtlc, ReceiptRequest, ReceiptState, Receipts as _, Terms},
    units::{BlockHeight, Msat, PaymentHash, PaymentSecret, ReceiptId, Timestamp},
};
use ledger_store::{MemoryReceipts, NewReceipt, Seed};

/// Blocks that an HTLC has left when it comes: 18 are asked for, and to be held it must have more.
const BLOCKS_LEFT: u32 = 20;
/// A block less than is asked for.
const TOO_FEW_BLOCKS: u32 = 17;
/// How long a receipt can be paid where that doesn't matter.
const HOUR_MS: u64 = 3_600_000;

/// How an HTLC comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Shown {
    /// All that is asked for.
    Whole,
    /// Half of it.
    Half,
    /// Half of it, with another total that the receipt takes too.
    OtherTotal,
    /// A total below what is asked for.
    TooLittle,
    /// A total above twice what is asked for.
    TooMuch,
    WrongSecret,
    NoSecret,
    TooFewBlocks,
    /// It is worth nothing.
    Nothing,
    /// For a hash that is none of ours.
    OtherHash,
}

impl Shown {
    /// What is right, alone or with others.
    pub(crate) fn fits(self) -> bool {
        match self {
            Self::Whole | Self::Half | Self::OtherTotal => true,
            Self::TooLittle
            | Self::TooMuch
            | Self::WrongSecret
            | Self::NoSecret
            | Self::TooFewBlocks
            | Self::Nothing
            | Self::OtherHash => false,
        }
    }

    /// What honest payers send.
    pub(crate) fn is_ordinary(self) -> bool {
        matches!(self, Self::Whole | Self::Half)
    }

    /// Amount and total.
    fn amounts(self) -> (u64, u64) {
        match self {
            Self::Whole
            | Self::WrongSecret
            | Self::NoSecret
            | Self::TooFewBlocks
            | Self::OtherHash => (AMOUNT_MSAT, AMOUNT_MSAT),
            Self::Half => (AMOUNT_MSAT / 2, AMOUNT_MSAT),
            Self::OtherTotal => (AMOUNT_MSAT / 2, AMOUNT_MSAT + 2),
            Self::TooLittle => (AMOUNT_MSAT - 1, AMOUNT_MSAT - 1),
            Self::TooMuch => (2 * AMOUNT_MSAT + 1, 2 * AMOUNT_MSAT + 1),
            Self::Nothing => (0, AMOUNT_MSAT),
        }
    }
}

/// Who pays us in a situation, and on which terms.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Payers {
    pub(crate) shows: &'static [Shown],
    pub(crate) htlcs_max: usize,
    /// A complete set waits for a decision.
    pub(crate) hold: bool,
    /// The preimage comes with the decision.
    pub(crate) awaited: bool,
    /// How long the receipt can be paid, from the beginning on; `None`: longer than anything lasts.
    pub(crate) payable_ms: Option<u64>,
}

/// What somebody calls about the receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Decision {
    /// `settlepaycode`.
    Settle,
    /// `cancelpaycode`.
    Cancel,
}

/// What was decided.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Decided {
    /// The sets that were to be taken.
    pub(crate) sets: Vec<EntityId>,
    pub(crate) cancelled: bool,
}

/// The hash that others pay.
pub(crate) fn hash() -> PaymentHash {
    preimage(1).hash()
}

impl Payers {
    fn expires_at(self) -> Timestamp {
        Timestamp(START_MS + self.payable_ms.unwrap_or(HOUR_MS))
    }

    /// The receipt that they pay.
    pub(crate) fn receipts(self) -> MemoryReceipts {
        let terms = Terms { hold: self.hold, ..Terms::default() };
        let (amount_msat, expires_at) = (Some(Msat(AMOUNT_MSAT)), self.expires_at());
        if self.awaited {
            let mut receipts =
                MemoryReceipts::with_seed(Seed::new(&zeroize::Zeroizing::new([5; 32])));
            let chosen = Chosen::Hash(hash());
            let wanted =
                ReceiptRequest { terms, chosen, ..ReceiptRequest::of(amount_msat, expires_at) };
            let issued = receipts.draft(&wanted, ReceiptId([1; 32])).expect("there is a seed");
            receipts.issue(&issued, Timestamp(START_MS)).expect("a first receipt");
            return receipts;
        }
        let (preimage, payment_secret) = (preimage(1), Some(secret(1)));
        let receipt = NewReceipt { preimage, payment_secret, amount_msat, expires_at, terms };
        let mut receipts = MemoryReceipts::default();
        receipts.add(&receipt).expect("a first receipt");
        receipts
    }
}

/// The sets over channels that have not ended.
pub(crate) fn live_sets(machine: &Machine) -> impl Iterator<Item = EntityId> {
    let app = &machine.app;
    let live = |id: &EntityId| app.get::<Set>(*id).is_some() && app.get::<Systems>(*id).is_some();
    app.entities().into_iter().filter(live)
}

/// Whether an Entity is a set over channels.
pub(crate) fn is_set(machine: &Machine, entity: EntityId) -> bool {
    machine.situation.payers.is_some() && machine.app.get::<SetReceived>(entity).is_some()
}

/// Nothing runs, and no HTLC waits.
pub(crate) fn is_over(machine: &Machine) -> bool {
    let app = &machine.app;
    let waits = |it: &Incoming| matches!(it.came, Came::Waits | Came::Released);
    !machine.env.htlcs.iter().any(waits)
        && app.entities().iter().all(|entity| app.get::<Systems>(*entity).is_none())
}

/// How it ended, as a situation names it: 0 paid, 1 not paid, 2 cancelled.
pub(crate) fn end_of(machine: &Machine) -> Option<i32> {
    let receipt = machine.receipts.lock().find(&hash()).filter(|_| is_over(machine))?;
    Some(match receipt.state {
        ReceiptState::Paid => 0,
        ReceiptState::Unpaid | ReceiptState::Settling => 1,
        ReceiptState::Cancelled => 2,
    })
}

/// What may come in, and what may be decided.
pub(crate) fn choices(machine: &Machine, payers: Payers) -> Vec<Choice> {
    let (app, env) = (&machine.app, &machine.env);
    let mut choices = Vec::new();
    if env.htlcs.len() < payers.htlcs_max {
        choices.extend(payers.shows.iter().copied().map(Choice::Comes));
    }
    let shown = |(_, it): &(usize, &Incoming)| matches!(it.came, Came::Waits | Came::Refused);
    choices.extend(env.htlcs.iter().enumerate().filter(shown).map(|(it, _)| Choice::Again(it)));
    let held = |set: &EntityId| {
        app.get::<SetHeld>(*set).is_some() && app.get::<SetSettling>(*set).is_none()
    };
    if live_sets(machine).any(|set| held(&set) && !env.decided.sets.contains(&set)) {
        choices.push(Choice::Decide(Decision::Settle));
    }
    let receipt = machine.receipts.lock().find(&hash());
    if receipt.is_some_and(|receipt| receipt.state == ReceiptState::Unpaid) {
        choices.push(Choice::Decide(Decision::Cancel));
    }
    if env.blocks == 0 && !env.htlcs.is_empty() {
        choices.push(Choice::Blocks);
    }
    let until = |set| app.get::<Held>(set).map(|held| held.0.until_height);
    if live_sets(machine).filter_map(until).any(|until| until > machine.height()) {
        choices.push(Choice::Height);
    }
    choices
}

impl Machine {
    /// When the receipt stops being payable, where that is still to come and matters.
    pub(crate) fn expiry_ms(&self) -> Option<u64> {
        let payers = self.situation.payers?;
        payers.payable_ms.map(|_| payers.expires_at().0)
    }

    /// An HTLC comes in.
    pub(crate) fn comes(&mut self, shown: Shown) -> Command {
        let number = self.env.htlcs.len();
        let [bob, carol] = channels(self.world);
        let short_channel_id = if number.is_multiple_of(2) { bob } else { carol };
        let id = u64::try_from(number).unwrap_or(u64::MAX);
        let (amount, total) = shown.amounts();
        let of_ours = self.receipts.lock().payment_secret(&hash());
        let wrong = (shown == Shown::WrongSecret).then_some(PaymentSecret([0x77; 32]));
        let payment_secret = wrong.or(of_ours.filter(|_| shown != Shown::NoSecret));
        let blocks = if shown == Shown::TooFewBlocks { TOO_FEW_BLOCKS } else { BLOCKS_LEFT };
        let incoming = IncomingHtlc {
            htlc: HtlcId { short_channel_id, id },
            payment_hash: if shown == Shown::OtherHash { preimage(9).hash() } else { hash() },
            amount_msat: Msat(amount),
            cltv_expiry: BlockHeight(self.height().0 + blocks),
            total_msat: Msat(total),
            payment_secret,
            payment_metadata: None,
            tlvs: Vec::new(),
            replayed: false,
        };
        self.take_in(incoming, None, shown.fits())
    }

    /// An HTLC gets an Entity, as the Driver makes it.
    pub(crate) fn take_in(
        &mut self,
        incoming: IncomingHtlc,
        part: Option<ecs_systems::port::PartKey>,
        fits: bool,
    ) -> Command {
        let (htlc, amount_msat) = (incoming.htlc, incoming.amount_msat.0);
        self.begin();
        let entity = self.app.new_entity();
        let write = Write::to(entity).attach(&Htlc(incoming)).attach(&Systems::listing(&self.list));
        self.app.set_components(&Writer::Engine, &[write], &[]).expect("an HTLC fits");
        let came = Came::Waits;
        self.env.htlcs.push(Incoming { entity, htlc, part, amount_msat, fits, came });
        Command::Call { entity, writes: Vec::new() }
    }

    /// Somebody decides.
    pub(crate) fn decide(&mut self, decision: Decision) -> Command {
        let named = |name, value| Json::object([(name, value)]);
        let hash = hash();
        match decision {
            Decision::Settle => {
                let sets: Vec<EntityId> = live_sets(self).collect();
                self.env.decided.sets.extend(sets);
                let awaited = self.situation.payers.is_some_and(|payers| payers.awaited);
                let params = if awaited {
                    named("preimage", Json::of(&preimage(1)))
                } else {
                    named("payment_hash", Json::of(&hash))
                };
                Command::Method { name: "settlepaycode", params }
            }
            Decision::Cancel => {
                self.env.decided.cancelled = true;
                let params = named("payment_hash", Json::of(&hash));
                Command::Method { name: "cancelpaycode", params }
            }
        }
    }

    /// Whether a set was to wait for a decision, and nobody has decided.
    pub(crate) fn is_undecided(&self, set: EntityId) -> bool {
        let app = &self.app;
        let waits = self.situation.payers.is_some_and(|payers| payers.hold || payers.awaited)
            || app.get::<SetHeld>(set).is_some()
            || app.get::<Hold>(set).is_some();
        waits && !self.env.decided.sets.contains(&set)
    }
}

//! Receipts that come back from the journal.

use super::*;
use crate::{
    Chosen, GivenSecrets, IssueError, Issued, Issuer, ReceiptRequest, Seed, Terms, withdraw,
};
use ecs_systems::{
    port::{AddReceiptError, Offered, ReceiptState, Receipts, Verdict},
    records::{ReceiptLine, receipt_record},
    units::{PaymentHash, PaymentSecret},
};
use zeroize::Zeroizing;

const AMOUNT: Msat = Msat(100);
const LATE: Timestamp = Timestamp(1 << 40);

pub(super) fn seed(byte: u8) -> Seed {
    Seed::new(&Zeroizing::new([byte; 32]))
}

pub(super) fn entropy(at_ms: u64) -> [u8; 32] {
    let mut entropy = [0; 32];
    entropy[..8].copy_from_slice(&at_ms.to_be_bytes());
    entropy
}

pub(super) fn receipts(app: &Engine) -> &dyn Receipts {
    &*app.resource::<ReceiptsBook>().expect("inserted").0
}

fn request(given: Option<GivenSecrets>) -> ReceiptRequest {
    let terms = Terms { hold: given.is_some(), ..Terms::default() };
    let chosen = given.map_or(Chosen::Nothing, Chosen::Secrets);
    ReceiptRequest { terms, chosen, ..ReceiptRequest::of(Some(AMOUNT), LATE) }
}

fn issue(app: &mut Engine, given: Option<GivenSecrets>) -> Issued {
    Issuer::new(seed(1)).issue(app, &request(given)).expect("another hash")
}

/// The hashes of the receipts that were issued, in the order of the image.
fn issued(app: &Engine) -> Vec<PaymentHash> {
    let fields = receipts(app).image().json().fields().expect("an object");
    let receipts: Vec<(Json, Json, Json, Json)> = fields["receipts"].decode().expect("rows");
    let hash = |issued: Json| issued.fields()?.get("payment_hash")?.decode().ok();
    receipts.into_iter().map(|(issued, ..)| hash(issued).expect("a hash")).collect()
}

/// Issues a receipt, or takes one of those that there are one step further.
pub(super) fn next(app: &mut Engine, choice: u8) -> Result<(), ecs_core::Error> {
    let all = issued(app);
    let Some(payment_hash) = all.get(usize::from(choice / 64)).copied() else {
        let given = GivenSecrets { preimage: preimage(choice), payment_secret: None };
        let request = request(choice.is_multiple_of(2).then_some(given));
        // A preimage that was chosen before is refused.
        let _again = Issuer::new(seed(1)).issue(app, &request);
        return Ok(());
    };
    let state = receipts(app).find(&payment_hash).expect("listed").state;
    let line = match (state, choice % 8) {
        (ReceiptState::Unpaid, 0) => return withdraw(app, payment_hash),
        (ReceiptState::Unpaid, 1..=4) => ReceiptLine::Release { payment_hash },
        (ReceiptState::Settling, 0..=2) => ReceiptLine::Restore { payment_hash },
        (_, _) => ReceiptLine::Settle { payment_hash, amount_msat: AMOUNT },
    };
    app.keep_records(&[receipt_record(&line)])
}

/// Three receipts, one of them paid, one of chosen secrets; after a snapshot or not, and a restart.
fn issue_three(disk: &MemoryDisk, snapshot: bool) -> [Issued; 3] {
    let (mut store, mut app, _) = open(disk).unwrap();
    app.begin(Inputs { now_ms: 1_000, entropy: entropy(1) });
    let chosen =
        GivenSecrets { preimage: preimage(9), payment_secret: Some(PaymentSecret([4; 32])) };
    let made = [None, None, Some(chosen)].map(|given| issue(&mut app, given));
    let payment_hash = made[1].payment_hash;
    let paid = ReceiptLine::Settle { payment_hash, amount_msat: AMOUNT };
    app.keep_records(&[receipt_record(&paid)]).unwrap();
    store.append(&app.take_delta().unwrap()).unwrap();
    if snapshot {
        store.snapshot(Image::of(&app)).unwrap();
    }
    store.close().unwrap();
    made
}

fn offered(receipt: &Issued) -> Offered {
    let Issued { payment_hash, payment_secret } = *receipt;
    Offered { payment_hash, amount_msat: AMOUNT, total_msat: AMOUNT, payment_secret }
}

#[test]
fn receipts_are_paid_after_a_restart_as_before_it() {
    for snapshot in [false, true] {
        let disk = MemoryDisk::new();
        let made = issue_three(&disk, snapshot);
        let (_, app, _) = open(&disk).unwrap();
        let receipts = receipts(&app);
        for (at, receipt) in made.iter().enumerate() {
            let verdict = receipts.judge(&offered(receipt), Timestamp(2_000));
            match verdict {
                Verdict::Settle(preimage) => assert_eq!(preimage.hash(), receipt.payment_hash),
                Verdict::Refuse(why) => assert!(at == 1 && why.contains("was paid"), "{why}"),
            }
            assert_eq!(receipts.find(&receipt.payment_hash).unwrap().hold, at == 2);
        }
        assert_eq!(made[2].payment_hash, preimage(9).hash());
        assert_ne!(made[0].payment_secret, made[1].payment_secret);
    }
}

#[test]
fn receipts_of_another_seed_are_refused_at_the_start_and_without_one_nothing_is_paid() {
    for (snapshot, words) in [(false, "record 1 does not fit"), (true, "can't be brought back")] {
        let disk = MemoryDisk::new();
        let made = issue_three(&disk, snapshot);
        let dyn_disk: Arc<dyn Disk> = Arc::new(disk);
        let restart = |receipts: MemoryReceipts| {
            let mut app = engine();
            app.insert_resource(ReceiptsBook(Box::new(receipts)));
            Store::open(&dyn_disk, options(), &mut app, &mut |_| {}).map(|_| app)
        };
        let error = restart(MemoryReceipts::with_seed(seed(2))).unwrap_err().to_string();
        let (ours, theirs) = (seed(2).id(), seed(1).id());
        let seeds = format!("of seed {theirs}, here is seed {ours}");
        assert!(error.contains(words) && error.contains(&seeds), "{error}");
        let blind = restart(MemoryReceipts::default()).unwrap();
        let receipts = receipts(&blind);
        assert_eq!(receipts.find(&made[0].payment_hash).unwrap().state, ReceiptState::Unpaid);
        let why = Verdict::Refuse("the secrets of the receipt are not here".to_owned());
        assert_eq!(receipts.judge(&offered(&made[0]), Timestamp(0)), why);
        assert!(!receipts.shows_secret(&made[0].payment_hash, made[0].payment_secret.as_ref()));
    }
}

#[test]
fn a_command_issues_so_many_receipts_of_different_hashes_and_no_more() {
    let mut app = engine();
    app.begin(Inputs { now_ms: 1_000, entropy: entropy(1) });
    let made: Vec<_> = (0..crate::RECEIPTS_PER_COMMAND_MAX)
        .map(|_| Issuer::new(seed(1)).issue(&mut app, &request(None)).unwrap().payment_hash)
        .collect();
    assert_eq!(issued(&app).len(), made.len());
    let more = Issuer::new(seed(1)).issue(&mut app, &request(None));
    assert_eq!(more, Err(IssueError::TooMany));
    app.begin(Inputs { now_ms: 2_000, entropy: entropy(2) });
    issue(&mut app, None);
    let other = Issuer::new(seed(2)).issue(&mut app, &request(None)).unwrap_err();
    assert!(matches!(other, IssueError::Refused(AddReceiptError::OtherSeed { .. })), "{other}");
}

#[test]
fn nothing_secret_of_an_unpaid_receipt_is_in_a_file() {
    let disk = MemoryDisk::new();
    let made = issue_three(&disk, true);
    let secrets = made.iter().flat_map(|receipt| {
        let (_, app, _) = open(&disk).unwrap();
        let preimage = match receipts(&app).judge(&offered(receipt), Timestamp(0)) {
            Verdict::Settle(preimage) => Some(preimage.0),
            Verdict::Refuse(_) => None,
        };
        preimage.into_iter().chain(receipt.payment_secret.map(|secret| secret.0))
    });
    let secrets: Vec<[u8; 32]> = secrets.chain([[1; 32]]).collect();
    assert_eq!(secrets.len(), 2 + 3 + 1);
    for dir in ["state", "ledger"] {
        for name in disk.list(dir).unwrap() {
            let name = format!("{dir}/{name}");
            let file = disk.open(&name, payecs_journal::Open::Read).unwrap();
            let mut bytes = vec![0; usize::try_from(file.len_bytes().unwrap()).unwrap()];
            file.read_at(0, &mut bytes).unwrap();
            for secret in &secrets {
                let text = PaymentSecret(*secret).reveal();
                let bare = bytes.windows(32).any(|part| part == secret);
                let hex = bytes.windows(64).any(|part| part == text.as_bytes());
                assert!(!bare && !hex, "a secret is in {name}");
            }
        }
    }
}

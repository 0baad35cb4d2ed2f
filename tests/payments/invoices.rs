//! Invoices that are damaged, or name other amounts, with a checksum that holds.

use ecs_systems::units::PaymentHash;

const LETTERS: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const CHECKSUM_LETTERS: usize = 6;
/// The recovery id is the last byte of the signature: 8 bits in the last two groups of 5.
const RECOVERY_FROM_END: usize = CHECKSUM_LETTERS + 2;

/// BIP 173's checksum over groups of five bits.
fn polymod(values: impl Iterator<Item = u8>) -> u32 {
    const GENERATORS: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    values.fold(1, |sum, value| {
        let top = sum >> 25;
        let next = ((sum & 0x01ff_ffff) << 5) ^ u32::from(value);
        let taken = GENERATORS.iter().enumerate().filter(|(bit, _)| (top >> bit) & 1 == 1);
        taken.fold(next, |sum, (_, generator)| sum ^ generator)
    })
}

/// Prefix and data with the checksum that belongs to them.
fn sealed(prefix: &str, data: &str) -> String {
    let values = data.bytes().map(|letter| {
        let place = LETTERS.iter().position(|known| *known == letter).expect("a bech32 letter");
        u8::try_from(place).expect("below 32")
    });
    let high = prefix.bytes().map(|byte| byte >> 5);
    let low = prefix.bytes().map(|byte| byte & 31);
    let all = high.chain([0]).chain(low).chain(values).chain([0; CHECKSUM_LETTERS]);
    let sum = polymod(all) ^ 1;
    let checksum = (0..CHECKSUM_LETTERS)
        .map(|place| char::from(LETTERS[(sum >> (5 * (5 - place))) as usize & 31]));
    format!("{prefix}1{data}{}", checksum.collect::<String>())
}

fn split(invoice: &str) -> (&str, &str) {
    let (prefix, rest) = invoice.rsplit_once('1').expect("a separator");
    (prefix, &rest[..rest.len() - CHECKSUM_LETTERS])
}

/// One letter of the data is another.
pub(crate) fn with_wrong_checksum(invoice: &str) -> String {
    let (at, last) = (invoice.len() - 1, &invoice[invoice.len() - 1..]);
    format!("{}{}", &invoice[..at], if last == "q" { "p" } else { "q" })
}

/// The signature says that its key is recovered in a way that there isn't.
pub(crate) fn with_bad_signature(invoice: &str) -> String {
    let (prefix, data) = split(invoice);
    let kept = data.len() + CHECKSUM_LETTERS - RECOVERY_FROM_END;
    sealed(prefix, &format!("{}{}", &data[..kept], "ll"))
}

/// The invoice with another prefix: `ln`, the network, the amount.
pub(crate) fn with_prefix(invoice: &str, prefix: &str) -> String {
    sealed(prefix, split(invoice).1)
}

/// What the invoice is locked to.
pub(crate) fn hash_of(invoice: &str) -> PaymentHash {
    ecs_systems::bolt11::decode(invoice).expect("a valid invoice").payment_hash
}

#[test]
fn a_checksum_of_ours_is_the_one_that_the_invoice_came_with() {
    let network = crate::nets::line();
    let payer = crate::harness::Payer::new(&network);
    let invoice = payer.invoice("carol", node_sim::InvoiceRequest::any());
    let (prefix, data) = split(&invoice);
    assert_eq!(sealed(prefix, data), invoice);
}

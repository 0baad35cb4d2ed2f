//! Addresses on chain, as invoices have them.

use super::Bolt11Error;
use crate::port::Network;
use bitcoin::{Address, AddressType, WitnessVersion, address::NetworkUnchecked};
use lightning_invoice::Fallback;

/// An address as the field `f` of BOLT 11 has it.
///
/// # Errors
/// It is no address, is of another chain, or of a kind that BOLT 11 has no place for.
pub fn fallback(address: &str, network: Network) -> Result<Fallback, Bolt11Error> {
    let unfit = |why: String| Bolt11Error::Field(format!("fallback address `{address}`: {why}"));
    let read: Address<NetworkUnchecked> =
        address.parse().map_err(|error: bitcoin::address::ParseError| unfit(error.to_string()))?;
    let chain = match network {
        Network::Bitcoin => bitcoin::Network::Bitcoin,
        Network::Testnet => bitcoin::Network::Testnet,
        Network::Signet => bitcoin::Network::Signet,
        Network::Regtest => bitcoin::Network::Regtest,
    };
    let read = read.require_network(chain).map_err(|error| unfit(error.to_string()))?;
    let legacy = match read.address_type() {
        Some(AddressType::P2pkh) => read.pubkey_hash().map(Fallback::PubKeyHash),
        Some(AddressType::P2sh) => read.script_hash().map(Fallback::ScriptHash),
        _ => None,
    };
    let program = || {
        let program = read.witness_program()?;
        let version: WitnessVersion = program.version();
        let program = program.program().as_bytes().to_vec();
        Some(Fallback::SegWitProgram { version, program })
    };
    legacy.or_else(program).ok_or_else(|| unfit("BOLT 11 has no place for its kind".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_every_kind_are_read_and_those_of_other_chains_are_not() {
        for (address, network, bytes) in [
            ("1RustyRX2oai4EYYDpQGWvEL62BBGqN9T", Network::Bitcoin, 20),
            ("3EktnHQD7RiAE6uzMj2ZifT9YgRrkSgzQX", Network::Bitcoin, 20),
            ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", Network::Bitcoin, 20),
            (
                "bc1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qccfmv3",
                Network::Bitcoin,
                32,
            ),
            (
                "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
                Network::Bitcoin,
                32,
            ),
            ("bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080", Network::Regtest, 20),
        ] {
            let read = fallback(address, network).unwrap();
            let length = match &read {
                Fallback::PubKeyHash(hash) => AsRef::<[u8]>::as_ref(hash).len(),
                Fallback::ScriptHash(hash) => AsRef::<[u8]>::as_ref(hash).len(),
                Fallback::SegWitProgram { program, .. } => program.len(),
            };
            assert_eq!(length, bytes, "{address}");
            let other =
                if network == Network::Bitcoin { Network::Regtest } else { Network::Bitcoin };
            let refused = fallback(address, other).unwrap_err().to_string();
            assert!(refused.contains(address), "{refused}");
        }
        let refused = fallback("bc1nothing", Network::Bitcoin).unwrap_err().to_string();
        assert!(refused.contains("`bc1nothing`"), "{refused}");
    }
}

//! Invoices that are decoded before a payment asks for them.

use super::{Bolt11Error, decode, is_bolt11, stripped};
use crate::components::{
    INVOICE_BYTES_MAX, INVOICE_PREFIX, InvoiceAmount, InvoiceCurrency, InvoiceDescriptionHash,
    InvoiceExpiresAt, InvoiceFeatures, InvoiceMetadata, InvoiceMinFinalCltv, InvoicePayee,
    InvoicePaymentHash, InvoicePaymentSecret, InvoiceRoutes, InvoiceType,
};
use bevy_ecs::resource::Resource;
use ecs_core::{Json, Name, WireComponent, Write};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Most invoices that are kept for payments to come; the oldest goes first.
const AHEAD_MAX: usize = 1_024;

/// The fields of an invoice as the Components they become.
pub(crate) type DecodedFields = Result<Vec<(Name, Json)>, Bolt11Error>;

/// Invoices that were decoded on the threads of those who want them paid.
///
/// To check a signature takes as long as half of a payment on the engine's thread, and needs
/// nothing of the engine. What comes of it depends on the text alone: a payment that finds its
/// invoice here goes on as one that decodes it itself.
/// ```
/// # use ecs_systems::bolt11::DecodedInvoices;
/// let invoices = DecodedInvoices::default();
/// invoices.decode_ahead("lnbc1garbage"); // What is wrong with it is kept, too.
/// ```
#[derive(Resource, Clone, Debug, Default)]
pub struct DecodedInvoices(Arc<Mutex<Ahead>>);

#[derive(Debug, Default)]
struct Ahead {
    by_text: BTreeMap<String, DecodedFields>,
    order: VecDeque<String>,
}

impl DecodedInvoices {
    /// Decodes a BOLT 11 invoice for the payment that will ask for it; nothing else.
    pub fn decode_ahead(&self, invoice: &str) {
        let text = stripped(invoice);
        if text.len() > INVOICE_BYTES_MAX || !is_bolt11(text) {
            return;
        }
        let decoded = fields_of(text);
        let mut ahead = self.lock();
        if ahead.order.len() == AHEAD_MAX
            && let Some(oldest) = ahead.order.pop_front()
        {
            ahead.by_text.remove(&oldest);
        }
        ahead.order.push_back(text.to_owned());
        ahead.by_text.insert(text.to_owned(), decoded);
    }

    /// The fields of a stripped BOLT 11 invoice, decoded now if nobody did it before. They are
    /// given once.
    pub(crate) fn take(&self, text: &str) -> DecodedFields {
        let taken = self.lock().by_text.remove(text);
        taken.unwrap_or_else(|| fields_of(text))
    }

    fn lock(&self) -> MutexGuard<'_, Ahead> {
        // What a panic elsewhere left is whole: each change is one call.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Attaches a field as the Component that it becomes.
type Attach = fn(Write, Json) -> Write;

/// The fields whose Components have a type: they are read here, so that the engine need not.
const TYPED: [(&str, Attach); 12] = [
    typed::<InvoiceAmount>(),
    typed::<InvoiceCurrency>(),
    typed::<InvoiceDescriptionHash>(),
    typed::<InvoiceExpiresAt>(),
    typed::<InvoiceFeatures>(),
    typed::<InvoiceMetadata>(),
    typed::<InvoiceMinFinalCltv>(),
    typed::<InvoicePayee>(),
    typed::<InvoicePaymentHash>(),
    typed::<InvoicePaymentSecret>(),
    typed::<InvoiceRoutes>(),
    typed::<InvoiceType>(),
];

const fn typed<C: WireComponent>() -> (&'static str, Attach) {
    (C::SPEC.name, |write, json| match C::from_json(&json) {
        Ok(component) => write.attach(&component),
        // The engine refuses it.
        Err(_) => write.attach_json(C::SPEC.name, json),
    })
}

fn fields_of(text: &str) -> DecodedFields {
    let attached =
        decode(text)?.by_name().into_iter().fold(Write::here(), |write, (name, json)| {
            let name = format!("{INVOICE_PREFIX}{name}");
            match TYPED.iter().find(|(typed, _)| *typed == name) {
                Some((_, attach)) => attach(write, json),
                None => write.attach_json(name, json),
            }
        });
    let named = attached.components.into_iter();
    Ok(named.filter_map(|(name, json)| Some((name, json?))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bolt11::vectors;

    #[test]
    fn what_was_decoded_ahead_is_what_would_be_decoded_now() {
        let invoices = DecodedInvoices::default();
        for text in [vectors::DONATION, vectors::COFFEE, vectors::UNKNOWN_FEATURE, "lnbc1"] {
            invoices.decode_ahead(&format!(" lightning:{text}\n"));
            assert!(invoices.lock().by_text.contains_key(text), "{text}");
            assert_eq!(invoices.take(text), fields_of(text), "{text}");
            assert!(invoices.lock().by_text.is_empty(), "it is given once");
            assert_eq!(invoices.take(text), fields_of(text), "and decoded again then");
        }
    }

    #[test]
    fn every_field_with_a_type_is_read_ahead() {
        let mut app = ecs_core::Engine::new();
        ecs_core::Plugin::build(&crate::PaymentSystems::default(), &mut app).unwrap();
        let fields = app.component_specs().filter(|spec| {
            let says = spec.name.strip_prefix(INVOICE_PREFIX);
            says.is_some() && spec.writable == ecs_core::Writable::Callers
        });
        let mut names: Vec<&str> = fields.map(|spec| spec.name).collect();
        let mut typed = TYPED.map(|(name, _)| name);
        names.sort_unstable();
        typed.sort_unstable();
        assert_eq!(names, typed);
    }

    #[test]
    fn other_kinds_and_long_texts_are_left_alone_and_the_oldest_goes_first() {
        let invoices = DecodedInvoices::default();
        invoices.decode_ahead("lno1abc");
        invoices.decode_ahead(&format!("lnbc{}", "q".repeat(INVOICE_BYTES_MAX)));
        assert!(invoices.lock().order.is_empty());
        for number in 0..=AHEAD_MAX {
            invoices.decode_ahead(&format!("lnbc{number}"));
        }
        let ahead = invoices.lock();
        assert_eq!((ahead.order.len(), ahead.by_text.len()), (AHEAD_MAX, AHEAD_MAX));
        assert!(!ahead.by_text.contains_key("lnbc0") && ahead.by_text.contains_key("lnbc1"));
    }
}

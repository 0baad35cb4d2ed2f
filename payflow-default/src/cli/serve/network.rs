//! The simulated network beside the engine: it has payees whose invoices can be asked for.

use ecs_core::{Args, Caller, ErrorObject, Json, Method, NOT_PERMITTED};
use ecs_systems::units::{Msat, NodeId, Timestamp};
use node_sim::{InvoiceRequest, SimNetwork};
use payflow_default::service::{SIM_INVOICE, ShellService};
use rpc_bridge::{BoxFuture, Feed, Grant, Outcome, Service, Topic};
use std::{collections::BTreeMap, sync::Arc};

/// The engine behind its shell, and the network, which answers what the engine can't.
#[derive(Debug)]
pub(super) struct Simulated {
    shell: ShellService,
    network: SimNetwork,
}

impl Simulated {
    pub(super) fn new(shell: ShellService, network: SimNetwork) -> Self {
        Self { shell, network }
    }
}

impl Service for Simulated {
    fn methods(&self) -> &BTreeMap<&'static str, &'static Method> {
        self.shell.methods()
    }

    fn call(
        &self,
        grant: Arc<Grant>,
        method: String,
        params: Option<Json>,
    ) -> BoxFuture<'static, Outcome> {
        if method != SIM_INVOICE.name {
            return self.shell.call(grant, method, params);
        }
        let (network, shell) = (self.network.clone(), self.shell.clone());
        Box::pin(async move {
            let now = shell.now().await?;
            let invoice = move || invoice(&network, &grant.caller, params.as_ref(), now);
            let made = tokio::task::spawn_blocking(invoice).await;
            made.unwrap_or_else(|_| {
                Err(ErrorObject::new(ecs_core::INTERNAL, "Internal error: see the log"))
            })
        })
    }

    fn metrics(&self) -> BoxFuture<'static, Option<String>> {
        self.shell.metrics()
    }

    fn subscribe(
        &self,
        topic: Topic,
        since: Option<u64>,
    ) -> BoxFuture<'static, Result<Box<dyn Feed>, ErrorObject>> {
        self.shell.subscribe(topic, since)
    }

    fn serve(
        &self,
        grant: Arc<Grant>,
        systems: Vec<String>,
        at_once: Option<u32>,
    ) -> BoxFuture<'static, Result<Box<dyn Feed>, ErrorObject>> {
        self.shell.serve(grant, systems, at_once)
    }
}

/// What [`SIM_INVOICE`] answers at a moment.
///
/// # Errors
/// The caller lacks the scope, a param is none, or the network refuses.
pub(crate) fn invoice(
    network: &SimNetwork,
    caller: &Caller,
    params: Option<&Json>,
    now: Timestamp,
) -> Outcome {
    if !caller.may(SIM_INVOICE.scope) || caller.components.is_some() {
        let what = "Not permitted: sim_invoice needs scope `read`, and all Components.";
        return Err(ErrorObject::new(NOT_PERMITTED, what));
    }
    let args = Args::bind(&SIM_INVOICE, params, caller)?;
    let amount = args.need::<Msat>("amount_msat")?;
    let payee = if let Some(named) = args.read::<String>("payee")? {
        let id = named.parse::<NodeId>().or_else(|_| network.id(&named));
        id.map_err(|_| ErrorObject::invalid(format!("no simulated node is called `{named}`")))?
    } else {
        let others = network.others();
        let place = amount.0 / 1_000 % (others.len() as u64).max(1);
        let place = usize::try_from(place).unwrap_or_default();
        others.get(place).copied().ok_or_else(|| ErrorObject::invalid("nobody can be paid"))?
    };
    let refused = |error: node_sim::SimError| ErrorObject::invalid(error.to_string());
    let bolt11 = network.invoice(payee, InvoiceRequest::of(amount), now).map_err(refused)?;
    // A payee that forgets its invoice in a crash would refuse who pays it.
    network.sync().map_err(refused)?;
    Ok(Json::object([
        ("bolt11", Json::of(&bolt11)),
        ("payee", Json::of(&payee)),
        ("name", Json::of(&network.name(payee))),
    ]))
}

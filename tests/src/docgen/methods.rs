//! The pages of methods and of error codes.

use super::{heading, list_of};
use ecs_core::{Engine, Explainer, Method, Plugin};
use ecs_systems::{PaymentSystems, errors::ERROR_CODES};
use payflow_default::{app::bundled, service::SIM_INVOICE};
use std::fmt::Write;

/// An engine with every method that payecs has.
pub(super) fn app() -> Engine {
    let mut app = Engine::new();
    PaymentSystems::default().build(&mut app).expect("the default flow fits together");
    app.add_method(&SIM_INVOICE);
    for plugin in bundled() {
        app.add_plugin(&*plugin).expect("our plugins have names of their own");
    }
    app
}

/// Where the tables of the methods are.
const SOURCES: &str = "the methods' tables: ecs-core/src/methods, ecs-systems/src/methods, \
                       ecs-systems/rebalance/src, payflow-default/src/service";

/// The page of the methods.
pub(super) fn methods() -> String {
    let mut page = heading(SOURCES);
    page += include_str!("rpc.txt");
    let app = app();
    for method in app.methods() {
        describe(&mut page, method);
        if method.name == "payecs_explain" {
            app.explainers().for_each(|explainer| tell(&mut page, explainer));
        }
    }
    page.truncate(page.trim_end().len());
    page + "\n"
}

fn describe(page: &mut String, method: &Method) {
    let named = method.params.iter().map(|param| {
        if param.required { param.name.to_owned() } else { format!("[{}]", param.name) }
    });
    let scope = format!("{:?}", method.scope).to_lowercase();
    let errors: Vec<String> = method.errors.iter().map(ToString::to_string).collect();
    let errors = if errors.is_empty() { "–".to_owned() } else { errors.join(", ") };
    let _ = writeln!(page, "## {}\n\n{}\n", method.name, method.doc);
    let params = list_of(named);
    let params = if params.is_empty() { "none" } else { &params };
    let _ = writeln!(page, "- Params: {params}");
    for param in method.params {
        let _ = writeln!(page, "  - `{}`: {}", param.name, param.kind.shape);
    }
    let _ = writeln!(page, "- Answer: `{}`", method.result);
    let _ = writeln!(page, "- Scope: {scope}. Errors: {errors}\n");
}

/// A field that an answer of `payecs_explain` may have.
fn tell(page: &mut String, explainer: &Explainer) {
    let Explainer { field, shape, doc, .. } = explainer;
    let _ = writeln!(page, "The field `{field}`. {doc}\n\n- `{field}`: `{shape}`\n");
}

/// The page of the error codes.
pub(super) fn errors() -> String {
    let mut page = heading("ecs-systems/src/errors.rs");
    page += include_str!("errors.txt");
    for it in ERROR_CODES {
        let _ = writeln!(page, "| {} | {} | {} | {} |", it.code, it.name, it.meaning, it.next);
    }
    page
}

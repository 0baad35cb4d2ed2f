//! What lightningd asks of us: the handshake, then every method.

use super::{
    Event,
    autoclean::Change,
    log,
    manifest::{SHUTDOWN, manifest},
    names,
    options::Options,
    running::{CHECK, Call, JUDGED, Running, fits},
};
use ecs_core::{ErrorObject, Json, METHOD_NOT_FOUND, Method, did_you_mean};
use rpc_bridge::{Answer, Asked, INVALID_REQUEST, Out, Outcome, Peer};
use std::{collections::BTreeMap, ops::ControlFlow, path::PathBuf};
use tokio::{runtime, sync::mpsc::UnboundedSender};
use tracing::Level;

/// The first method: what are you?
const GETMANIFEST: &str = "getmanifest";
/// The second: begin.
const INIT: &str = "init";
/// An option is another one from now on.
const SETCONFIG: &str = "setconfig";
/// Longest part of an unknown name that is repeated.
const NAME_SHOWN_CHARS_MAX: usize = 64;

/// Whoever answers on the pipe.
pub(super) struct Plugin {
    pub(super) out: Out,
    pub(super) events: UnboundedSender<Event>,
    pub(super) methods: BTreeMap<String, &'static Method>,
    pub(super) elsewhere: runtime::Handle,
    pub(super) state: State,
}

/// How far the handshake is.
#[derive(Debug)]
pub(super) enum State {
    /// `init` has not come.
    New,
    Runs(Box<Running>),
    /// It came, and we can't.
    Off(String),
}

impl Peer for Plugin {
    fn take(&mut self, asked: Vec<Asked>) {
        let mut calls = Vec::with_capacity(asked.len());
        for Asked { method, params, answer } in asked {
            match method.as_str() {
                GETMANIFEST => answer.give_now(Ok(manifest(&self.methods))),
                INIT => answer.give_now(self.init(params.as_ref())),
                SETCONFIG => self.set_config(params.as_ref(), answer),
                CHECK if judged(params.as_ref()).as_deref() == Some(SETCONFIG) => {
                    answer.give_now(Change::of(params.as_ref()).map(|_| fits(SETCONFIG)));
                }
                // How lightningd hands on what it is asked to judge of our commands.
                CHECK => calls.extend(self.call(&names::name(CHECK), params, answer)),
                _ => calls.extend(self.call(&method, params, answer)),
            }
        }
        if let State::Runs(running) = &self.state
            && !calls.is_empty()
        {
            running.call(calls);
        }
    }

    /// Only the word that lightningd stops is heard: nobody's notification runs anything here.
    fn hear(&mut self, method: &str, _: Option<&Json>) -> ControlFlow<()> {
        if method == SHUTDOWN { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

impl Plugin {
    /// What the engine is asked. `None`: it was answered here.
    fn call(&self, name: &str, params: Option<Json>, answer: Answer) -> Option<Call> {
        let Some(method) = self.methods.get(name) else {
            let hint = did_you_mean(self.methods.keys().map(String::as_str), name);
            let shown: String = name.chars().take(NAME_SHOWN_CHARS_MAX).collect();
            let what = format!("Unknown command `{shown}`{hint}");
            answer.give_now(Err(ErrorObject::new(METHOD_NOT_FOUND, what)));
            return None;
        };
        let why = match &self.state {
            State::Runs(_) => {
                let (params, judges) = self.in_words_of_the_engine(method, params);
                return Some(Call { method: method.name, params, judges, answer });
            }
            State::New => "`init` comes first".to_owned(),
            State::Off(why) => format!("the engine was not started: {why}"),
        };
        answer.give_now(Err(not_now(&why)));
        None
    }

    /// The params of a call as the engine has them, and of `check` what is judged: under the name
    /// that the command has in the engine, also where it came with the one that it has here.
    fn in_words_of_the_engine(
        &self,
        method: &Method,
        params: Option<Json>,
    ) -> (Option<Json>, Option<String>) {
        if method.name != CHECK {
            return (params, None);
        }
        let judges = judged(params.as_ref());
        let renamed = judges.as_ref().and_then(|name| self.methods.get(name));
        let params = match (renamed, params) {
            (Some(of), Some(params)) if params.fields().is_some() => {
                let mut fields = params.fields().unwrap_or_default();
                fields.insert(JUDGED.to_owned(), Json::of(of.name));
                Some(Json::object(fields))
            }
            (Some(of), Some(params)) => {
                let rest = params.items().unwrap_or_default().into_iter().skip(1);
                Some(Json::array([Json::of(of.name)].into_iter().chain(rest)))
            }
            (_, params) => params,
        };
        (params, judges)
    }

    fn set_config(&self, params: Option<&Json>, answer: Answer) {
        match (Change::of(params), &self.state) {
            (Err(wrong), _) => answer.give_now(Err(wrong)),
            (Ok(change), State::Runs(running)) => running.change(change, answer),
            (Ok(_), State::New) => answer.give_now(Err(not_now("`init` comes first"))),
            (Ok(_), State::Off(why)) => {
                answer.give_now(Err(not_now(&format!("the engine was not started: {why}"))));
            }
        }
    }

    fn init(&mut self, params: Option<&Json>) -> Outcome {
        if !matches!(self.state, State::New) {
            return Err(not_now("`init` came already"));
        }
        self.state = match self.begin(params) {
            Ok(running) => State::Runs(Box::new(running)),
            Err(why) => {
                // lightningd goes on without us, and says why only where it logs what is for
                // debugging.
                log::log(&self.out, Level::WARN, &format!("not started: {why}"));
                State::Off(why)
            }
        };
        Ok(match &self.state {
            State::Off(why) => Json::object([("disable", Json::of(why))]),
            State::New | State::Runs(_) => Json::nothing(),
        })
    }

    fn begin(&self, params: Option<&Json>) -> Result<Running, String> {
        let (given, lightning_dir) = told(params)?;
        let mut options =
            Options::of(&given, lightning_dir.as_deref()).map_err(|wrong| wrong.to_string())?;
        let dir = options.data_dir.display().to_string();
        let filter = std::mem::take(&mut options.log);
        let spans = log::install(&self.out, filter, options.otlp.as_ref())
            .map_err(|error| format!("payecs-otlp: {error}"))?;
        let (running, received, thread) =
            Running::start(options, &self.out, self.elsewhere.clone())
                .map_err(|error| format!("{dir}: {error}"))?;
        let what = format!(
            "the engine of {dir} runs, on a simulated network: no channel of this \
                            node is used"
        );
        log::log(&self.out, Level::INFO, &what);
        let handle = running.handle.clone();
        // Where nobody hears it, the process ends anyway.
        let _ends = self.events.send(Event::Started { handle, received, thread, spans });
        Ok(running)
    }
}

/// The command that is judged, in the params of `check`: by name or by position.
fn judged(params: Option<&Json>) -> Option<String> {
    let params = params?;
    let name = match params.fields() {
        Some(mut fields) => fields.remove(JUDGED),
        None => params.items()?.into_iter().next(),
    };
    name?.as_str().map(std::borrow::Cow::into_owned)
}

fn not_now(why: &str) -> ErrorObject {
    ErrorObject::new(INVALID_REQUEST, format!("Invalid request: {why}"))
}

/// Options, and lightningd's directory, in the params of `init`: by name or by position. Whatever
/// else stands there, or doesn't, is left alone.
fn told(params: Option<&Json>) -> Result<(Json, Option<PathBuf>), String> {
    let (options, configuration) = match params {
        Some(params) if let Some(mut fields) = params.fields() => {
            (fields.remove("options"), fields.remove("configuration"))
        }
        Some(params) => {
            let mut items = params.items().unwrap_or_default().into_iter();
            (items.next(), items.next())
        }
        None => (None, None),
    };
    let object = |name: &str, given: Option<Json>| match given.filter(|given| !given.is_null()) {
        None => Ok(Json::nothing()),
        Some(given) if given.fields().is_some() => Ok(given),
        Some(given) => Err(format!("`{name}` must be an object, got {given}")),
    };
    let options = object("options", options)?;
    let configuration = object("configuration", configuration)?.fields().unwrap_or_default();
    let lightning_dir = configuration.get("lightning-dir").and_then(|dir| {
        let dir = dir.as_str()?;
        Some(PathBuf::from(dir.into_owned()))
    });
    Ok((options, lightning_dir))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn init_is_understood_by_name_by_position_and_with_almost_nothing() {
        let own = Json::parse(r#"{"payecs-seed":3}"#).unwrap();
        let configuration = r#"{"lightning-dir":"/ln","network":"regtest","feature_set":{}}"#;
        for (params, options, dir) in [
            (format!(r#"{{"options":{own},"configuration":{configuration}}}"#), &own, true),
            (format!("[{own},{configuration}]"), &own, true),
            (format!(r#"{{"options":{own}}}"#), &own, false),
            (format!(r#"{{"options":{own},"configuration":{{}},"x":1}}"#), &own, false),
            (format!(r#"{{"configuration":{configuration}}}"#), &Json::nothing(), true),
            ("{}".to_owned(), &Json::nothing(), false),
            ("[]".to_owned(), &Json::nothing(), false),
        ] {
            let (found, found_dir) = told(Some(&Json::parse(&params).unwrap())).unwrap();
            assert_eq!(&found, options, "{params}");
            assert_eq!(found_dir.as_deref(), dir.then_some(Path::new("/ln")), "{params}");
        }
        assert_eq!(told(None).unwrap().1, None);
        let wrong = Json::parse(r#"{"options":[1]}"#).unwrap();
        assert!(told(Some(&wrong)).unwrap_err().contains("`options` must be an object"));
    }
}

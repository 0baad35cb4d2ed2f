//! Calling a daemon.

use super::home::Reach;
use ecs_core::{ErrorObject, Json};
use jsonrpsee::core::{
    client::{ClientT, Error as ClientError},
    traits::ToRpcParams,
};
use jsonrpsee_http_client::{HeaderMap, HeaderValue, HttpClient, HttpClientBuilder};
use rpc_bridge::Tokens;
use serde_json::value::RawValue;
use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

/// A call may wait for a payment: so long at most.
const TIMEOUT: Duration = Duration::from_hours(24);
/// Largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: u32 = 64 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// No daemon has left its address, or the owner's token.
    #[error("no daemon runs on {dir}: start `payecs serve --data-dir {dir}`", dir = .dir.display())]
    NotServed {
        /// Its data directory.
        dir: PathBuf,
    },
    /// There is one, or was, and it does not answer.
    #[error(
        "the daemon of {dir} does not answer: {why}. Is `payecs serve` still running?",
        dir = .dir.display()
    )]
    Silent {
        /// Its data directory.
        dir: PathBuf,
        /// What was seen.
        why: String,
    },
    /// The owner's token can't be read.
    #[error("the owner's token: {0}")]
    Cookie(io::Error),
    /// There is no runtime.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// What was called was refused.
    #[error("{} (code {})", .0.message, .0.code)]
    Refused(ErrorObject),
}

/// A daemon that is called as its owner.
#[derive(Debug)]
pub(crate) struct Client {
    data_dir: PathBuf,
    http: HttpClient,
}

/// Params as their text.
struct Raw(Json);

impl ToRpcParams for Raw {
    fn to_rpc_params(self) -> Result<Option<Box<RawValue>>, serde_json::Error> {
        RawValue::from_string(self.0.to_string()).map(Some)
    }
}

impl Client {
    /// The daemon of a data directory.
    pub(crate) fn of(data_dir: &Path) -> Result<Self, CallError> {
        let reach = Reach::of(data_dir);
        let not_served = || CallError::NotServed { dir: data_dir.to_owned() };
        let address = reach.address().map_err(|_| not_served())?;
        let cookie = Tokens::read_cookie(reach.dir()).map_err(|error| {
            let is_gone = error.kind() == io::ErrorKind::NotFound;
            if is_gone { not_served() } else { CallError::Cookie(error) }
        })?;
        let bearer = HeaderValue::from_str(&format!("Bearer {}", cookie.reveal()));
        let mut bearer = bearer.map_err(|_| {
            CallError::Cookie(io::Error::new(io::ErrorKind::InvalidData, "it is no token"))
        })?;
        bearer.set_sensitive(true);
        let headers = HeaderMap::from_iter([("authorization".parse().expect("a name"), bearer)]);
        let built = HttpClientBuilder::default()
            .set_headers(headers)
            .request_timeout(TIMEOUT)
            .max_response_size(ANSWER_BYTES_MAX)
            .build(format!("http://{address}"));
        let data_dir = data_dir.to_owned();
        match built {
            Ok(http) => Ok(Self { data_dir, http }),
            Err(error) => Err(CallError::Silent { dir: data_dir, why: error.to_string() }),
        }
    }

    /// Calls a method.
    pub(crate) async fn call(&self, method: &str, params: Json) -> Result<Json, CallError> {
        let answer: Result<Box<RawValue>, ClientError> =
            self.http.request(method, Raw(params)).await;
        match answer {
            Ok(raw) => Ok(Json::parse(raw.get()).unwrap_or_else(|_| Json::of(raw.get()))),
            Err(ClientError::Call(error)) => Err(CallError::Refused(ErrorObject {
                code: error.code(),
                message: error.message().to_owned(),
                data: error.data().and_then(|data| Json::parse(data.get()).ok()),
            })),
            Err(other) => {
                let dir = self.data_dir.clone();
                Err(CallError::Silent { dir, why: other.to_string() })
            }
        }
    }
}

/// Runs what calls, to its end.
pub(crate) fn block_on<T>(
    work: impl Future<Output = Result<T, CallError>>,
) -> Result<T, CallError> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

//! What those hear who subscribed: the ends of payments and what was received, from the ledger,
//! Systems as they run, and what external Systems are to do.

use crate::{
    Outlet,
    shell::{Handle, News, Notice, Subscription},
};
use ecs_core::{AT_ONCE_DEFAULT, Caller, EffectBody, ErrorObject, Invoke, Json, Scope};
use ecs_systems::refusal::{DISK_FULL, HISTORY_OPENING, SHUTDOWN, TOO_BUSY};
use rpc_bridge::{BoxFuture, Feed, Given, Heard, Topic};
use std::{
    collections::VecDeque,
    fmt,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use tokio::sync::{mpsc, oneshot, watch};

/// Most events that are read ahead for one feed.
const READ_AHEAD_MAX: u32 = 100;
/// How long after a page was refused it is asked for again.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(100);
/// How long a feed rests after a page with nothing for it, so that who waits for what is rare does
/// not read the ledger at each end of something else.
const REST: Duration = Duration::from_millis(10);

/// A page of events, and the cursor behind them.
type Page = (Vec<Json>, u64);

/// What `payecs_events` answers of those kinds.
async fn page(
    handle: &Handle,
    (since, limit): (u64, u32),
    kinds: &[&str],
) -> Result<Page, ErrorObject> {
    let params = [("since", Json::of(&since)), ("limit", Json::of(&limit))];
    let kinds = (!kinds.is_empty()).then(|| ("events", Json::of(kinds)));
    let params = Json::object(params.into_iter().chain(kinds));
    let reads = Caller::with([Scope::Read]);
    let answer = handle.call_method(reads, "payecs_events", Some(params)).await?;
    let mut fields = answer.fields().unwrap_or_default();
    let events = fields.remove("events").and_then(|events| events.items());
    let cursor = fields.remove("cursor").and_then(|cursor| cursor.decode().ok());
    Ok((events.unwrap_or_default(), cursor.unwrap_or(since)))
}

/// The events of some kinds that the ledger tells of, from a cursor on. They are read when they are
/// asked for: a page at a time, however far the feed is behind.
pub(crate) struct EndsFeed {
    handle: Handle,
    ended: watch::Receiver<u64>,
    topics: Vec<Topic>,
    /// Everything up to it was heard, or is in `ahead`.
    cursor: u64,
    ahead: VecDeque<(Topic, Json)>,
}

impl fmt::Debug for EndsFeed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { topics, cursor, .. } = self;
        let mut shown = out.debug_struct("EndsFeed");
        shown.field("topics", topics).field("cursor", cursor).finish_non_exhaustive()
    }
}

impl EndsFeed {
    /// What comes now.
    pub(crate) fn from_now(handle: Handle, topics: impl IntoIterator<Item = Topic>) -> Self {
        let ended = handle.ended();
        let cursor = *ended.borrow();
        let topics = topics.into_iter().collect();
        Self { handle, ended, topics, cursor, ahead: VecDeque::new() }
    }

    /// What came after that cursor; without it, what comes now.
    ///
    /// # Errors
    /// As `payecs_events`.
    pub(super) async fn begin(
        handle: Handle,
        topic: Topic,
        since: Option<u64>,
    ) -> Result<Self, ErrorObject> {
        let mut feed = Self::from_now(handle, [topic]);
        if let Some(since) = since {
            feed.cursor = since;
            feed.take(feed.page().await?);
        }
        Ok(feed)
    }

    async fn page(&self) -> Result<Page, ErrorObject> {
        let kinds: Vec<&str> = self.topics.iter().map(|topic| topic.name()).collect();
        page(&self.handle, (self.cursor, READ_AHEAD_MAX), &kinds).await
    }

    fn take(&mut self, (events, cursor): Page) {
        let topic_of = |event: &Json| {
            let fields = event.fields()?;
            let name = fields.get("event")?.as_str()?;
            self.topics.iter().copied().find(|topic| topic.name() == name)
        };
        self.ahead.extend(events.into_iter().filter_map(|event| Some((topic_of(&event)?, event))));
        self.cursor = cursor;
    }

    /// What to tell of a page that can't be had; `None`: it is to be asked for again.
    fn lost(&mut self, refused: &ErrorObject) -> Option<Heard> {
        if [TOO_BUSY, DISK_FULL, HISTORY_OPENING].contains(&refused.code) {
            return None;
        }
        let error = &refused.message;
        tracing::error!(target: "payecs::events", error, "what ended can't be told");
        let cursor = std::mem::replace(&mut self.cursor, *self.ended.borrow());
        Some(Heard::Lost { count: None, cursor })
    }
}

impl Feed for EndsFeed {
    fn next(&mut self) -> BoxFuture<'_, Option<Heard>> {
        Box::pin(async {
            loop {
                if let Some((topic, params)) = self.ahead.pop_front() {
                    return Some(Heard::Event { topic, params });
                }
                let cursor = self.cursor;
                self.ended.wait_for(|ended| *ended > cursor).await.ok()?;
                match self.page().await {
                    // What is told of and can't be read yet.
                    Ok((_, behind)) if behind <= cursor => {
                        tokio::time::sleep(ASK_AGAIN_AFTER).await;
                    }
                    Ok(page) => {
                        self.take(page);
                        if self.ahead.is_empty() {
                            tokio::time::sleep(REST).await;
                        }
                    }
                    Err(stopped) if stopped.code == SHUTDOWN => return None,
                    Err(refused) => match self.lost(&refused) {
                        Some(lost) => return Some(lost),
                        None => tokio::time::sleep(ASK_AGAIN_AFTER).await,
                    },
                }
            }
        })
    }
}

/// Systems as they run. They are not kept: what one is too slow for is lost.
pub(super) struct SystemsFeed {
    news: Subscription,
    /// Of what was heard last.
    cursor: u64,
    /// Where it was before the outage that nobody heard it in.
    lost_since: Option<u64>,
}

impl SystemsFeed {
    /// What runs from now on, behind what is lost since that cursor.
    ///
    /// # Errors
    /// As `payecs_events`.
    pub(super) async fn begin(handle: &Handle, since: Option<u64>) -> Result<Self, ErrorObject> {
        let news = handle.watch_systems();
        if let Some(since) = since {
            // Refuses a cursor that there is not.
            page(handle, (since, 1), &[]).await?;
        }
        Ok(Self { news, cursor: *handle.ended().borrow(), lost_since: since })
    }
}

impl Feed for SystemsFeed {
    fn next(&mut self) -> BoxFuture<'_, Option<Heard>> {
        Box::pin(async {
            if let Some(cursor) = self.lost_since.take() {
                return Some(Heard::Lost { count: None, cursor });
            }
            loop {
                match self.news.next().await? {
                    News::Lost { count } => {
                        return Some(Heard::Lost { count: Some(count), cursor: self.cursor });
                    }
                    News::Notice(notice) => {
                        if let Some(params) = invocation(&notice) {
                            self.cursor = notice.cursor;
                            return Some(Heard::Event { topic: Topic::SystemInvoke, params });
                        }
                    }
                }
            }
        })
    }
}

/// What an invocation of a System tells. Preimages and secrets are in none.
fn invocation(notice: &Notice) -> Option<Json> {
    if notice.effect.kind != Invoke::KIND {
        return None;
    }
    let cursor = ("cursor".to_owned(), Json::of(&notice.cursor));
    let fields = notice.effect.body.entries().unwrap_or_default();
    Some(Json::object(fields.into_iter().chain([cursor])))
}

/// What the external Systems are to do that somebody serves.
pub(super) struct ServerFeed {
    handle: Handle,
    invokes: mpsc::Receiver<Invoke>,
    given: Given,
    /// Why nothing more comes.
    ended: oneshot::Receiver<ErrorObject>,
}

impl ServerFeed {
    /// What is outstanding and nobody has, then what comes.
    ///
    /// # Errors
    /// As `Engine::serve`; the shell doesn't take the call.
    pub(super) async fn begin(
        handle: Handle,
        caller: Caller,
        systems: Vec<String>,
        at_once: Option<u32>,
    ) -> Result<Self, ErrorObject> {
        // What ran out of time may still lie there when as much is given again.
        let lie_there_max = 2 * at_once.unwrap_or(AT_ONCE_DEFAULT) as usize;
        let (to, invokes) = mpsc::channel(lie_there_max);
        let (given, (why, ended)) = (Given::default(), oneshot::channel());
        let feed = Self { handle, invokes, given: given.clone(), ended };
        let outlet = Line { to, given, why, overflown: AtomicBool::new(false) };
        feed.handle.serve(caller, (systems, at_once), Box::new(outlet)).await?;
        Ok(feed)
    }
}

impl Feed for ServerFeed {
    fn next(&mut self) -> BoxFuture<'_, Option<Heard>> {
        Box::pin(async {
            let invoke = self.invokes.recv().await;
            if let Ok(why) = self.ended.try_recv() {
                // What still lies there is no longer its own.
                while self.invokes.try_recv().is_ok() {}
                return Some(Heard::Ended(why));
            }
            Some(Heard::Event { topic: Topic::SystemInvoke, params: Json::of(&invoke?) })
        })
    }

    fn given(&self) -> Option<Given> {
        Some(self.given.clone())
    }
}

impl Drop for ServerFeed {
    fn drop(&mut self) {
        self.invokes.close();
        self.handle.look_again();
    }
}

/// The way to a server.
struct Line {
    to: mpsc::Sender<Invoke>,
    given: Given,
    why: oneshot::Sender<ErrorObject>,
    overflown: AtomicBool,
}

impl Outlet for Line {
    fn give(&self, invoke: Invoke) {
        self.given.one_more();
        if self.to.try_send(invoke).is_err() {
            self.overflown.store(true, Ordering::Relaxed);
        }
    }

    fn is_gone(&self) -> bool {
        self.to.is_closed() || self.overflown.load(Ordering::Relaxed)
    }

    fn end(self: Box<Self>, reason: ErrorObject) {
        let Self { given, why, to: _to, .. } = *self;
        given.one_more();
        // Before the line is cut, by which whoever waits at its other end wakes.
        let _nobody_waits = why.send(reason);
    }
}

//! Depth first through every state that can be reached, each once.

use crate::{
    choice::{Budget, Choice, choices},
    laws,
    machine::{Breach, Fate, Machine, State},
    situation::Situation,
};
use ecs_core::{EntityId, Json, Systems};
use ecs_systems::flow::Amend;
use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash, Hasher},
};

/// What a walk saw.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) states: usize,
    pub(crate) transitions: usize,
    pub(crate) crashes: usize,
    /// How payments ended, and how often that was seen.
    pub(crate) ends: BTreeMap<i32, usize>,
    /// The bound on states was reached.
    pub(crate) cut: bool,
}

impl std::fmt::Display for Seen {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { states, transitions, crashes, ends, cut } = self;
        let cut = if *cut { " (cut)" } else { "" };
        write!(out, "{states} states, {transitions} transitions, {crashes} crashes{cut}; ends:")?;
        ends.iter().try_for_each(|(end, states)| write!(out, " {end} ({states})"))
    }
}

/// A breach with the way to it.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) breach: Breach,
    pub(crate) path: Vec<Choice>,
}

/// One step of the way from the beginning.
struct Frame {
    number: usize,
    state: State,
    choices: Vec<Choice>,
    next: usize,
    /// Where crashes come: the choice that was under way, after how many records, and the state.
    crashes: Vec<(Choice, State)>,
    /// What was chosen last.
    chosen: Choice,
}

impl Frame {
    fn new(number: usize, state: State, choices: Vec<Choice>) -> Self {
        Self { number, state, choices, next: 0, crashes: Vec::new(), chosen: Choice::Nothing }
    }
}

/// A state as it is known: under which number, and what was left when it was entered.
struct Known {
    number: usize,
    budgets: Vec<Budget>,
}

/// Who looks at every state, those between two records too.
type Watcher<'a> = Box<dyn FnMut(&State) + 'a>;

/// A walk under way.
pub(crate) struct Walk<'a> {
    pub(crate) watch: Option<Watcher<'a>>,
    pub(crate) machine: Machine,
    pub(crate) seen: Seen,
    known: BTreeMap<u64, Known>,
    crashed: BTreeSet<u64>,
    /// From state to state, and whether by an answer.
    edges: Vec<(usize, usize, bool)>,
    over: Vec<bool>,
    states_max: usize,
}

impl Walk<'_> {
    pub(crate) fn new(situation: &Situation, order: &[&str], amend: Amend, max: usize) -> Self {
        Self {
            watch: None,
            machine: Machine::new(situation, order, amend),
            seen: Seen::default(),
            known: BTreeMap::new(),
            crashed: BTreeSet::new(),
            edges: Vec::new(),
            over: Vec::new(),
            states_max: max,
        }
    }

    /// Walks everywhere from the beginning of a situation.
    pub(crate) fn walk_all(&mut self) -> Result<(), Found> {
        let begin = self.machine.keep();
        self.everywhere_from(begin)?;
        self.all_walks_end().map_err(|breach| Found { breach, path: Vec::new() })
    }

    /// Walks everywhere from a state.
    pub(crate) fn everywhere_from(&mut self, state: State) -> Result<(), Found> {
        self.machine.load(&state);
        let mut path: Vec<Frame> = Vec::new();
        let (number, new) = self.enter(&state);
        if let Some(choices) = new {
            path.push(Frame::new(number, state, choices));
        }
        while let Some(frame) = path.last_mut() {
            let from = frame.number;
            let stepped = match self.step(frame) {
                Ok(false) => {
                    path.pop();
                    continue;
                }
                stepped => stepped,
            };
            self.seen.transitions += 1;
            let answer = frame.chosen.is_answer();
            if let Err(breach) = stepped.and_then(|_| laws::judge(&mut self.machine)) {
                return Err(Found { breach, path: way(&path) });
            }
            let state = self.machine.keep();
            let (number, new) = self.enter(&state);
            self.edges.push((from, number, answer));
            if let Some(choices) = new {
                path.push(Frame::new(number, state, choices));
            }
        }
        Ok(())
    }

    /// Makes the next choice of a state, or lets the next crash happen. `false`: there is none.
    fn step(&mut self, frame: &mut Frame) -> Result<bool, Breach> {
        if let Some((choice, mid)) = frame.crashes.pop() {
            let Choice::Crash(_, _, lost) = choice else { unreachable!("only crashes are noted") };
            self.machine.env.left = frame.state.env.left;
            self.machine.pay_for(&choice);
            frame.chosen = choice;
            self.seen.crashes += 1;
            return self.machine.crash(&mid, lost).map(|()| true);
        }
        let Some(choice) = frame.choices.get(frame.next).cloned() else { return Ok(false) };
        frame.next += 1;
        frame.chosen = choice.clone();
        let crash = Choice::Crash(Box::new(choice.clone()), 0, false);
        let affordable = frame.state.env.left.after(&crash).is_some();
        if (affordable || self.watch.is_some()) && crashes_within(&choice) {
            self.note_crashes(frame, &choice, affordable)?;
        }
        self.machine.choose(&frame.state, &choice).map(|()| true)
    }

    /// Notes where within a choice nobody has crashed yet.
    fn note_crashes(
        &mut self,
        frame: &mut Frame,
        choice: &Choice,
        crash: bool,
    ) -> Result<(), Breach> {
        let mids = self.machine.step_through(&frame.state, choice)?;
        for (records, mid) in mids.into_iter().enumerate() {
            if !self.crashed.insert(key(&self.machine, &mid)) {
                continue;
            }
            if let Some(watch) = &mut self.watch {
                watch(&mid);
            }
            if !crash {
                continue;
            }
            let open = mid.env.offers.values().any(|offer| offer.fate == Fate::Open);
            let lost = if open || !mid.asked.is_empty() { &[false, true][..] } else { &[false] };
            for lost in lost {
                let crash = Choice::Crash(Box::new(choice.clone()), records, *lost);
                frame.crashes.push((crash, mid.clone()));
            }
        }
        Ok(())
    }

    /// Notes a state. The choices in it, if there is anything new in going on from it.
    fn enter(&mut self, state: &State) -> (usize, Option<Vec<Choice>>) {
        let key = key(&self.machine, state);
        let left = state.env.left;
        let fresh = self.known.len();
        let known =
            self.known.entry(key).or_insert_with(|| Known { number: fresh, budgets: Vec::new() });
        let number = known.number;
        if known.budgets.iter().any(|before| before.covers(left)) {
            return (number, None);
        }
        known.budgets.push(left);
        if let Some(watch) = &mut self.watch {
            watch(state);
        }
        if number == fresh {
            self.note(number);
        }
        if self.known.len() > self.states_max {
            self.seen.cut = true;
            return (number, None);
        }
        let mut all = choices(&self.machine);
        if left.crashes > 0 && left.total > 0 {
            all.push(Choice::Nothing);
        }
        (number, Some(all))
    }

    fn note(&mut self, number: usize) {
        self.seen.states += 1;
        let payments = &self.machine.env.payments;
        let ends: Vec<i32> = payments.iter().filter_map(|it| self.machine.end_of(*it)).collect();
        self.over.resize(number + 1, false);
        let app = &self.machine.app;
        let stuck = |payment: EntityId| {
            let systems = app.get::<Systems>(payment);
            systems.is_none_or(|systems| laws::is_stuck_draft(app, payment, systems))
        };
        self.over[number] = !payments.is_empty() && payments.iter().all(|payment| stuck(*payment));
        for end in ends {
            *self.seen.ends.entry(end).or_default() += 1;
        }
    }

    /// From every state an end can be reached, and answers alone never go round in a circle.
    fn all_walks_end(&self) -> Result<(), Breach> {
        if self.seen.cut {
            return Ok(());
        }
        let mut ends = self.over.clone();
        let mut before: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (from, to, _) in &self.edges {
            before.entry(*to).or_default().push(*from);
        }
        let mut todo: Vec<usize> = (0..ends.len()).filter(|number| ends[*number]).collect();
        while let Some(number) = todo.pop() {
            for from in before.get(&number).map_or(&[][..], Vec::as_slice) {
                if !std::mem::replace(&mut ends[*from], true) {
                    todo.push(*from);
                }
            }
        }
        let law = "every walk can end";
        if let Some(number) = ends.iter().position(|end| !end) {
            return Err(Breach { law, what: format!("state {number} reaches no end") });
        }
        if self.answers_go_round() {
            return Err(Breach { law, what: "answers alone go round in a circle".to_owned() });
        }
        Ok(())
    }

    /// Whether some state comes again by answers alone: Kahn's order leaves something over.
    fn answers_go_round(&self) -> bool {
        let mut into = vec![0_usize; self.over.len()];
        let mut after: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (from, to, _) in self.edges.iter().filter(|(_, _, answer)| *answer) {
            into[*to] += 1;
            after.entry(*from).or_default().push(*to);
        }
        let mut free: Vec<usize> = (0..into.len()).filter(|number| into[*number] == 0).collect();
        let mut ordered = 0;
        while let Some(number) = free.pop() {
            ordered += 1;
            for to in after.get(&number).map_or(&[][..], Vec::as_slice) {
                into[*to] -= 1;
                if into[*to] == 0 {
                    free.push(*to);
                }
            }
        }
        ordered < self.over.len()
    }
}

fn crashes_within(choice: &Choice) -> bool {
    matches!(
        choice,
        Choice::Plan(..)
            | Choice::Part(..)
            | Choice::Decode(..)
            | Choice::Signer(..)
            | Choice::Approve(..)
            | Choice::Cancel(_)
            | Choice::Start(_)
            | Choice::Nothing
    )
}

fn way(path: &[Frame]) -> Vec<Choice> {
    path.iter().map(|frame| frame.chosen.clone()).collect()
}

/// What tells a state from all others. Numbers that only count are left out, and what is rare: a
/// state that was entered with more of it left has been walked from already.
pub(crate) fn key(machine: &Machine, state: &State) -> u64 {
    let mut hasher = DefaultHasher::new();
    for entity in &state.snapshot.entities {
        entity.entity.get().hash(&mut hasher);
        for (name, json) in &entity.components {
            match name.as_str() {
                "lightningd:systems" => laws::list_key(json).hash(&mut hasher),
                "lightningd:systems:final" | "lightningd:nonce" => {}
                _ => (name, json.text()).hash(&mut hasher),
            }
        }
        for effect in &entity.outstanding {
            laws::effect_key(effect).hash(&mut hasher);
        }
        if !machine.situation.third.is_empty() {
            let fields = Json::of(entity).fields().unwrap_or_default();
            let noted = ["muted", "own_systems_only"].map(|name| fields.get(name).map(Json::text));
            let invoked = fields.get("invocation").is_some_and(|invoked| !invoked.is_null());
            (noted, invoked).hash(&mut hasher);
        }
    }
    let env = &state.env;
    let payments: Vec<u32> = env.payments.iter().copied().map(EntityId::get).collect();
    (payments, env.now_ms, env.receipt_paid).hash(&mut hasher);
    for (key, offer) in &env.offers {
        (key, offer).hash(&mut hasher);
    }
    hasher.finish()
}

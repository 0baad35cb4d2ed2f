//! Every question to every planner, in turns.

use crate::{
    balances::{Balances, Model},
    options::{Options, OptionsError},
    oracle::Oracle,
    pairs::Pairs,
    pay::{Delivery, Payer},
    plans::{Planned, plan_once},
    question::{Planner, Question},
    replay::Strictness,
};
use payecs_planner::Graph;
use payecs_units::Msat;
use serde::Serialize;
use std::{fs::File, io::Write as _};

const MSAT_PER_SATOSHI: u64 = 1_000;
const NS_PER_MS: u64 = 1_000_000;

/// A planner, whatever it remembers of a payment.
pub trait Contender {
    /// How it is called in tables.
    fn name(&self) -> &'static str;
    /// Plans a payment once, knowing nothing.
    fn plan_once(&self, graph: &Graph, question: &Question) -> Planned;
    /// Pays, as it says.
    fn pay(&self, payer: &Payer<'_>, question: &Question) -> Delivery;
}

/// A planner, and how strictly its routes are judged.
#[derive(Debug)]
pub struct Judged<P>(pub P, pub Strictness);

impl<P: Planner> Contender for Judged<P> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn plan_once(&self, graph: &Graph, question: &Question) -> Planned {
        plan_once(&self.0, graph, question, self.1)
    }

    fn pay(&self, payer: &Payer<'_>, question: &Question) -> Delivery {
        payer.pay(&self.0, question, self.1)
    }
}

/// One amount between the pairs of one set, and what each contender made of every pair.
#[derive(Clone, Debug)]
pub struct PlanCell {
    /// Which pairs.
    pub set: String,
    /// How much.
    pub satoshi: u64,
    /// For each contender what it answered, in the order of the pairs.
    pub planned: Vec<Vec<Planned>>,
}

/// The same on hidden balances.
#[derive(Clone, Debug)]
pub struct DeliveryCell {
    /// How the balances were drawn.
    pub model: Model,
    /// Which pairs.
    pub set: String,
    /// How much.
    pub satoshi: u64,
    /// Of each pair: whether the balances let the payment through, whatever the fees and limits.
    pub feasible: Vec<bool>,
    /// Of each pair: whether limits of HTLCs admit it over channels that lie on a way for 1 %.
    pub narrow: Vec<bool>,
    /// For each contender what became of the payment, in the order of the pairs.
    pub outcomes: Vec<Vec<Delivery>>,
}

#[derive(Serialize)]
struct Line<'a, T> {
    table: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<Model>,
    set: &'a str,
    planner: &'static str,
    question: &'a Question,
    #[serde(skip_serializing_if = "Option::is_none")]
    feasible: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    narrow: Option<bool>,
    #[serde(flatten)]
    answer: &'a T,
}

/// Asks, and writes down.
#[derive(Debug)]
pub struct Runner<'a> {
    options: &'a Options,
    graph: &'a Graph,
    pairs: Vec<Pairs>,
    lines: Option<File>,
}

impl<'a> Runner<'a> {
    /// Opens what the options name.
    ///
    /// # Errors
    /// [`OptionsError`].
    pub fn new(options: &'a Options, graph: &'a Graph) -> Result<Self, OptionsError> {
        let create = |path| File::create(path).map_err(|why| (path, why));
        let lines = options.json.as_ref().map(create).transpose();
        let lines = lines.map_err(|(path, why)| OptionsError::Write { path: path.clone(), why })?;
        Ok(Self { options, graph, pairs: options.pairs(graph)?, lines })
    }

    /// Between pairs that are drawn, and writes nothing down.
    ///
    /// # Errors
    /// [`OptionsError::Sets`].
    pub fn drawn(options: &'a Options, graph: &'a Graph) -> Result<Self, OptionsError> {
        Ok(Self { options, graph, pairs: options.drawn(graph)?, lines: None })
    }

    fn write<T: Serialize>(&mut self, line: &Line<'_, T>) -> Result<(), OptionsError> {
        let Some(file) = &mut self.lines else { return Ok(()) };
        let text = serde_json::to_string(line).expect("figures are JSON");
        writeln!(file, "{text}").map_err(|why| OptionsError::Write {
            path: self.options.json.clone().unwrap_or_default(),
            why,
        })
    }

    /// The questions of each cell: its set, its amount, and each pair's.
    fn cells(&self) -> Vec<(String, u64, Vec<Question>)> {
        let of = |set: &Pairs, satoshi: u64| {
            let questions = (0..).zip(&set.pairs).map(|(number, (source, destination))| Question {
                source: *source,
                destination: *destination,
                amount: Msat(satoshi.saturating_mul(MSAT_PER_SATOSHI)),
                number,
            });
            (set.set.clone(), satoshi, questions.collect())
        };
        let amounts = &self.options.amounts;
        self.pairs.iter().flat_map(|set| amounts.iter().map(move |it| of(set, *it))).collect()
    }

    /// Every pair planned once by each contender; `told` hears of each cell that is done.
    ///
    /// # Errors
    /// [`OptionsError::Write`].
    pub fn plans(
        &mut self,
        contenders: &[&dyn Contender],
        mut told: impl FnMut(&PlanCell),
    ) -> Result<Vec<PlanCell>, OptionsError> {
        let mut cells = Vec::new();
        for (set, satoshi, questions) in self.cells() {
            let mut planned = vec![Vec::new(); contenders.len()];
            for question in &questions {
                for turn in turns(question, contenders.len()) {
                    let answer = contenders[turn].plan_once(self.graph, question);
                    self.write(&Line {
                        table: "plan",
                        model: None,
                        set: &set,
                        planner: contenders[turn].name(),
                        question,
                        feasible: None,
                        narrow: None,
                        answer: &answer,
                    })?;
                    planned[turn].push(answer);
                }
            }
            cells.push(PlanCell { set, satoshi, planned });
            cells.last().into_iter().for_each(&mut told);
        }
        Ok(cells)
    }

    /// Every pair paid by each contender on hidden balances; `told` hears of each cell.
    ///
    /// # Errors
    /// [`OptionsError::Write`].
    pub fn deliveries(
        &mut self,
        model: Model,
        balances: &Balances,
        contenders: &[&dyn Contender],
        mut told: impl FnMut(&DeliveryCell),
    ) -> Result<Vec<DeliveryCell>, OptionsError> {
        let oracle = Oracle::new(self.graph, balances);
        let cpu_ns_max = self.options.cpu_ms.saturating_mul(NS_PER_MS);
        let payer = Payer { graph: self.graph, balances, cpu_ns_max };
        let mut cells = Vec::new();
        for (set, satoshi, questions) in self.cells() {
            let feasible: Vec<bool> = questions.iter().map(|it| oracle.is_feasible(it)).collect();
            let narrow: Vec<bool> =
                questions.iter().map(|it| oracle.is_narrowly_feasible(it)).collect();
            let mut outcomes = vec![Vec::new(); contenders.len()];
            for (place, question) in questions.iter().enumerate() {
                for turn in turns(question, contenders.len()) {
                    let answer = contenders[turn].pay(&payer, question);
                    self.write(&Line {
                        table: "delivery",
                        model: Some(model),
                        set: &set,
                        planner: contenders[turn].name(),
                        question,
                        feasible: Some(feasible[place]),
                        narrow: Some(narrow[place]),
                        answer: &answer,
                    })?;
                    outcomes[turn].push(answer);
                }
            }
            cells.push(DeliveryCell { model, set, satoshi, feasible, narrow, outcomes });
            cells.last().into_iter().for_each(&mut told);
        }
        Ok(cells)
    }
}

/// Whose turn it is: another begins with each question.
fn turns(question: &Question, contenders: usize) -> impl Iterator<Item = usize> {
    let begin = usize::try_from(question.number).unwrap_or(0);
    (0..contenders).map(move |turn| (begin + turn) % contenders)
}

//! What the planner learns, at once and after a restart.

use super::Driver;
use ecs_core::{Delta, Effect, EffectBody, Inputs};
use ecs_systems::{
    effects::Learn,
    lessons,
    port::{KnowledgeDesk, LessonsKept, PartImage},
    units::Timestamp,
};
use ledger_store::store::Image;

impl Driver {
    /// The state now with what the planner has learned, for a snapshot.
    #[must_use]
    pub fn image(&self) -> Image {
        Image::of(&self.engine).knowing(self.learned())
    }

    /// What the planner has learned, as a snapshot has it; `None`: it keeps nothing.
    #[must_use]
    pub fn learned(&self) -> Option<PartImage> {
        self.planner.image(self.now)
    }

    /// Has the planner learn from a command's effects, and notes the lessons in its record. The
    /// other effects. Nothing of a lesson leaves, so that it waits for nothing.
    pub(super) fn learn_of(
        &mut self,
        effects: Vec<Effect>,
        mut delta: Option<&mut Delta>,
    ) -> Vec<Effect> {
        let at = Timestamp(self.engine.resource::<Inputs>().map_or(self.now.0, |it| it.now_ms));
        let (lessons, others): (Vec<Effect>, Vec<Effect>) =
            effects.into_iter().partition(|effect| effect.kind == Learn::KIND);
        let desk = self.engine.resource_mut::<KnowledgeDesk>();
        // The record has them already, before the lessons of parts.
        for lesson in desk.map(|mut desk| desk.take_told()).unwrap_or_default() {
            self.planner.learn(&lesson, at);
        }
        for effect in lessons {
            let Some(Learn(lesson)) = effect.read() else { continue };
            let entity = effect.entity;
            match lessons::note(&self.engine, entity, &lesson) {
                Some(note) => {
                    self.planner.learn(&lesson, at);
                    if let Some(delta) = &mut delta {
                        delta.changes.push(note);
                    }
                }
                None => {
                    tracing::warn!(target: "payflow::plan", %entity, "no part teaches this lesson");
                }
            }
        }
        others
    }

    /// Gives the planner what a restart brought back for it. It is an estimate: what can't be read
    /// is left out.
    pub(super) fn recall_lessons(&mut self) {
        let Some(mut kept) = self.engine.resource_mut::<LessonsKept>() else { return };
        let LessonsKept { image, lessons } = std::mem::take(&mut *kept);
        if let Some(image) = image
            && let Err(error) = self.planner.take_back(&image)
        {
            tracing::warn!(target: "payflow::plan", %error, "what was learned is not read");
        }
        for (at, lesson) in lessons {
            self.planner.learn(&lesson, at);
        }
    }
}

//! What is known of a model: enough to refuse what its platform refuses.

/// One model of a simulated platform.
#[derive(Debug)]
pub(super) struct Model {
    /// The name that callers send.
    pub name: &'static str,
    /// The name that answers carry, where it differs (OpenAI's dated snapshots).
    pub snapshot: &'static str,
    /// The longest prompt, in tokens.
    pub context: u64,
    /// The longest answer, in tokens.
    pub max_output: u64,
    /// Whether it takes images.
    pub sees: bool,
    /// Whether it thinks before it answers.
    pub thinks: Thinks,
    /// Whether it takes functions.
    pub tools: bool,
    /// Whether it takes `response_format: json_schema`.
    pub schema: bool,
    /// A model that is known, and refused as retired.
    pub offline: bool,
}

/// When a model thinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Thinks {
    /// It can't.
    Never,
    /// When it is asked to.
    IfAsked,
    /// Unless it is asked not to.
    UnlessAsked,
    /// Whatever is asked.
    Always,
}

impl Model {
    pub(super) const fn new(name: &'static str, context: u64, max_output: u64) -> Model {
        Model {
            name,
            snapshot: name,
            context,
            max_output,
            sees: false,
            thinks: Thinks::Never,
            tools: true,
            schema: true,
            offline: false,
        }
    }

    pub(super) const fn snapshot(self, snapshot: &'static str) -> Model {
        Model { snapshot, ..self }
    }

    pub(super) const fn sees(self) -> Model {
        Model { sees: true, ..self }
    }

    pub(super) const fn thinks(self, thinks: Thinks) -> Model {
        Model { thinks, ..self }
    }

    pub(super) const fn no_tools(self) -> Model {
        Model { tools: false, ..self }
    }

    pub(super) const fn no_schema(self) -> Model {
        Model { schema: false, ..self }
    }

    pub(super) const fn offline(self) -> Model {
        Model { offline: true, ..self }
    }
}

use std::time::Duration;

/// How thoroughly to measure.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// How many times all contestants are set up.
    pub setups: usize,
    /// How many rounds run with each set-up.
    pub rounds: usize,
    /// Roughly how long each contestant runs in a round.
    pub turn: Duration,
}

impl Effort {
    /// On a quiet machine, ratios are accurate to a few per cent.
    pub const FULL: Self = Self { setups: 15, rounds: 31, turn: Duration::from_millis(1) };

    /// Everything runs once, to show that it works. The numbers mean nothing.
    pub const TOUCH: Self = Self { setups: 1, rounds: 1, turn: Duration::ZERO };

    /// The effort that the command line asks for: `cargo bench` measures, `cargo test --benches` runs everything once.
    pub fn from_args() -> Self {
        if std::env::args().any(|arg| arg == "--bench") { Self::FULL } else { Self::TOUCH }
    }

    /// The same number of rounds, with turns that are longer by this factor.
    #[must_use]
    pub fn with_turns(self, factor: u32) -> Self {
        Self { turn: self.turn * factor, ..self }
    }

    /// Whether everything only runs once and nothing is measured.
    pub fn is_touch(self) -> bool {
        self.turn.is_zero()
    }
}

/// Whether the command line has this option, such as `--long`.
pub fn asked_for(option: &str) -> bool {
    std::env::args().any(|arg| arg == option)
}

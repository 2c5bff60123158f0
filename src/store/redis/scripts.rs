//! The scripts, by name. Sent by their hash; a server that does not know one (it was
//! restarted, or a replica took over) is sent the script itself, and knows it from then on.
//!
//! Scripts rather than functions: a function is some 8 % faster, but must be loaded on
//! every master before it is called, and not every hosted Redis offers functions.

use redis::{Arg, Cmd, ErrorKind, FromRedisValue, RedisError, Script, ServerErrorKind};

use super::super::Answer;
use super::link::{Link, failure};

macro_rules! scripts {
    ($($name:ident: $($file:literal)+;)*) => {
        /// Every script.
        pub(super) struct Scripts {
            $(pub(super) $name: Loaded,)*
        }

        impl Scripts {
            pub(super) fn new() -> Self {
                Self {
                    $($name: Loaded::new(concat!($(include_str!(concat!("lua/", $file)), "\n"),+)),)*
                }
            }
        }
    };
}

scripts! {
    lease: "common.lua" "attempt.lua" "due.lua" "lease.lua";
    settle: "common.lua" "charge.lua" "attempt.lua" "settle.lua";
    renew: "common.lua" "renew.lua";
    sweep: "common.lua" "charge.lua" "attempt.lua" "due.lua" "order.lua" "sweep.lua";
    reorder: "common.lua" "attempt.lua" "order.lua" "reorder.lua";
    set_policy: "set_policy.lua";
    claim_format: "claim_format.lua";
    tell_usual: "tell_usual.lua";
    set_priority: "common.lua" "set_priority.lua";
    set_limit: "common.lua" "set_limit.lua";
    rename: "common.lua" "rename.lua";
    add_account: "common.lua" "add_account.lua";
    set_health: "common.lua" "set_health.lua";
    worsen: "common.lua" "worsen.lua";
    recovered: "common.lua" "recovered.lua";
    block: "common.lua" "block.lua";
    learn: "common.lua" "learn.lua";
    view: "common.lua" "view.lua";
    hold: "attempt.lua" "purse.lua" "hold.lua";
    end_holds: "attempt.lua" "purse.lua" "end_holds.lua";
    renew_holds: "attempt.lua" "purse.lua" "renew_holds.lua";
    grant_points: "attempt.lua" "purse.lua" "grant_points.lua";
    purse_view: "attempt.lua" "purse.lua" "purse_view.lua";
    rate: "rate.lua";
    aim: "aim.lua";
    swap_text: "swap_text.lua";
    leave: "common.lua" "moved.lua" "leave.lua";
    arrive: "common.lua" "moved.lua" "removal.lua" "arrive.lua";
    admit: "common.lua" "moved.lua" "admit.lua";
    remove_left: "common.lua" "moved.lua" "removal.lua" "remove_left.lua";
    remove_account: "common.lua" "moved.lua" "removal.lua" "remove_account.lua";
    look: "common.lua" "moved.lua" "look.lua";
    forget_sums: "common.lua" "forget_sums.lua";
    record: "record.lua";
    forget_records: "forget_records.lua";
    forget_totals: "forget_totals.lua";
    records: "records.lua";
    add_user: "add_user.lua";
    enrol: "enrol.lua";
    reindex_token: "reindex_token.lua";
    change_token: "change_token.lua";
    use_token: "use_token.lua";
    audit_add: "audit_add.lua";
    audit_of: "audit_of.lua";
    forget_front: "forget_front.lua";
    notice_post: "notice_post.lua";
    notice_read: "notice_read.lua";
    notices: "notices.lua";
    notices_claim: "notices_claim.lua";
    notices_forget: "notices_forget.lua";
    claim: "claim.lua";
    swap_fixed: "swap_fixed.lua";
    touch: "touch.lua";
    take_field: "take_field.lua";
    try_sign_in: "try.lua";
    kept_bodies: "kept_bodies.lua";
    found_team: "found_team.lua";
    rename_team: "rename_team.lua";
    close_team: "close_team.lua";
    seat: "seat.lua";
}

/// A script and its hash.
pub(super) struct Loaded {
    code: &'static str,
    hash: String,
}

impl Loaded {
    fn new(code: &'static str) -> Self {
        Self { code, hash: Script::new(code).get_hash().to_owned() }
    }

    /// Begins a call; arguments follow, and there is room for as many as a lease has: growing
    /// is most of what a call costs.
    pub(super) fn call(&self, keys: &[impl AsRef<str>]) -> Cmd {
        let mut cmd = Cmd::with_capacity(keys.len() + 32, 32 * (keys.len() + 24));
        cmd.arg("EVALSHA").arg(&self.hash).arg(keys.len());
        for key in keys {
            cmd.arg(key.as_ref());
        }
        cmd
    }

    /// Runs a call that may be repeated.
    pub(super) async fn run<T: FromRedisValue>(&self, link: &Link, call: &Cmd) -> Answer<T> {
        match link.send(call).await {
            Err(error) if is_unknown(&error) => link.ask(&self.in_full(call)).await,
            answer => answer.map_err(|error| failure(&error)),
        }
    }

    /// Runs a call whose second sending would be answered otherwise.
    pub(super) async fn run_once<T: FromRedisValue>(&self, link: &Link, call: &Cmd) -> Answer<T> {
        match link.send_once(call).await {
            Err(error) if is_unknown(&error) => link.ask_once(&self.in_full(call)).await,
            answer => answer.map_err(|error| failure(&error)),
        }
    }

    /// The same call with the script in its hash's place.
    fn in_full(&self, call: &Cmd) -> Cmd {
        let mut full = redis::cmd("EVAL");
        full.arg(self.code);
        for argument in call.args_iter().skip(2) {
            if let Arg::Simple(argument) = argument {
                full.arg(argument);
            }
        }
        full
    }
}

fn is_unknown(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}

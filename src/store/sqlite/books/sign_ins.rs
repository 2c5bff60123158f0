//! Console sessions and one-time links.

use jiff::Timestamp;

use crate::accounts::{LinkPurpose, LinkRow, SessionRow, UserId};

use super::super::super::MOST_SESSIONS;
use super::{Books, Note};

impl Books {
    pub(in super::super) fn add_session(&mut self, row: SessionRow, now: Timestamp) {
        let user = row.grant.user;
        let ended = |row: &&SessionRow| row.grant.ends_at <= now;
        let sessions = self.people.sessions.values();
        let mut gone: Vec<String> = sessions.filter(ended).map(|row| row.index.clone()).collect();
        let mut own: Vec<_> = self.sessions_of(user);
        own.retain(|row| row.grant.ends_at > now);
        own.sort_by_key(|row| row.used_at);
        let too_many = (own.len() + 1).saturating_sub(MOST_SESSIONS);
        gone.extend(own.into_iter().take(too_many).map(|row| row.index));
        for index in gone {
            self.drop_session(&index);
        }
        self.put_session(row);
    }

    pub(in super::super) fn touch_session(&mut self, index: &str, at: Timestamp) {
        if let Some(row) = self.people.sessions.get(index) {
            let row = SessionRow { used_at: at, ..row.clone() };
            self.put_session(row);
        }
    }

    pub(in super::super) fn sessions_of(&self, user: UserId) -> Vec<SessionRow> {
        let own = self.people.sessions.values().filter(|row| row.grant.user == user);
        let mut own: Vec<SessionRow> = own.cloned().collect();
        own.sort_by(|a, b| {
            let key = |row: &SessionRow| (row.grant.created_at, row.grant.id.clone());
            key(a).cmp(&key(b))
        });
        own
    }

    pub(in super::super) fn end_session(&mut self, user: UserId, id: &str) -> bool {
        let is_it = |row: &&SessionRow| row.grant.user == user && row.grant.id == id;
        let found = self.people.sessions.values().find(is_it).map(|row| row.index.clone());
        found.is_some_and(|index| self.drop_session(&index))
    }

    pub(in super::super) fn keep_link(&mut self, row: LinkRow) {
        let slot = row.purpose.slot();
        self.rows.push(Note::Link(slot.clone(), Some(row.clone())));
        self.people.links.insert(slot, row);
    }

    pub(in super::super) fn link(&self, purpose: LinkPurpose) -> Option<&LinkRow> {
        self.people.links.get(&purpose.slot())
    }

    pub(in super::super) fn take_link(&mut self, row: &LinkRow) -> bool {
        let slot = row.purpose.slot();
        if self.people.links.get(&slot) != Some(row) {
            return false;
        }
        self.people.links.remove(&slot);
        self.rows.push(Note::Link(slot, None));
        true
    }

    fn put_session(&mut self, row: SessionRow) {
        self.rows.push(Note::Session(row.index.clone(), Some(row.clone())));
        self.people.sessions.insert(row.index.clone(), row);
    }

    fn drop_session(&mut self, index: &str) -> bool {
        let was = self.people.sessions.remove(index).is_some();
        if was {
            self.rows.push(Note::Session(index.to_owned(), None));
        }
        was
    }
}

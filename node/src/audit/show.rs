//! A line of the audit log for people.
//! Invariant: one line of harmless text, whatever the file holds.
//! Not here: JSON, which is the line itself.

use super::chain::LineHead;
use super::{Entry, Way};
use crate::text::one_line;

/// The line as people read it. A kind that a newer version wrote is shown as it is.
#[must_use]
pub fn show(line: &[u8]) -> String {
    let raw = || one_line(&String::from_utf8_lossy(line));
    let Some(head) = LineHead::of(line) else { return raw() };
    let said = serde_json::from_slice::<Entry>(line).map_or_else(|_| raw(), |entry| say(&entry));
    format!("{}  #{}  {}", utc(head.at_ms), head.n, one_line(&said))
}

fn say(entry: &Entry) -> String {
    match entry {
        Entry::Denied { .. } => denied(entry),
        Entry::Suppressed { who, action, rule, count } => {
            let [action, rule] = [action, rule].map(|part| part.as_deref().unwrap_or_default());
            format!("suppressed  {count} more denials of {who} {action} {rule}").trim_end().into()
        }
        Entry::Admin { verb, target } => format!("admin  {verb} {target}"),
        Entry::Reloaded { epoch } => format!("reloaded  rule set {epoch} is in force"),
        Entry::ReloadFailed { code, text } => format!("reload failed  {code}: {text}"),
        Entry::Grant { change, id, audience, actions, prefix, expires_ms, .. } => {
            let change = match change {
                super::GrantChange::Minted => "minted",
                super::GrantChange::Revoked => "revoked",
            };
            let actions = actions.join(",");
            let about = if prefix.is_empty() { "everything" } else { prefix };
            let until = utc(*expires_ms);
            format!("grant {change}  {id} for {audience}: {actions} on {about} until {until}")
        }
        Entry::Gap { lines, why } => {
            format!("gap  {lines} lines could not be written ({})", why.name())
        }
        Entry::Recovered { torn, aside, lost, altered, headless } => {
            let mut text = "recovered ".to_owned();
            if *torn > 0 {
                let aside = aside.as_deref().unwrap_or("nothing");
                text.push_str(&format!(" half a line of {torn} bytes is in {aside};"));
            }
            for (is, what) in [
                (*lost > 0, format!(" {lost} lines are gone;")),
                (*altered, " the last line was changed;".to_owned()),
                (*headless, " the note of the last line was gone;".to_owned()),
            ] {
                text.push_str(if is { &what } else { "" });
            }
            text.trim_end_matches(';').to_owned()
        }
    }
}

fn denied(entry: &Entry) -> String {
    let Entry::Denied { reference, who, net, way, class, action, resource, rule, epoch, grants } =
        entry
    else {
        return String::new();
    };
    let way = way.map(|way| match way {
        Way::Direct => "direct",
        Way::Relayed => "relayed",
    });
    let about: Vec<_> = [net.as_deref(), way, class.as_deref()].into_iter().flatten().collect();
    let about = if about.is_empty() { String::new() } else { format!(" ({})", about.join(", ")) };
    let grants =
        if grants.is_empty() { String::new() } else { format!(", {} grants", grants.len()) };
    format!(
        "denied  {reference}  {who}{about}: {action} on {resource}, by {rule} of rule set {epoch}{grants}"
    )
}

/// A Unix time in ms such as `2026-02-03 04:05:06`, in UTC.
pub fn utc(unix_ms: u64) -> String {
    let seconds = unix_ms / 1000;
    let (day, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(day);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// Days of 400 years of the Gregorian calendar, after which it repeats itself.
const ERA_DAYS: u64 = 146_097;

/// Year, month and day of a number of days since the beginning of 1970.
fn date(days: u64) -> (u64, u64, u64) {
    // 1970 is no first year of an era, so counting begins in 1600: 135,140 days earlier.
    let days = days.saturating_add(135_140);
    let (mut year, mut left) = (1600 + days / ERA_DAYS * 400, days % ERA_DAYS);
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    while left >= 365 + u64::from(is_leap(year)) {
        left -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let mut month = 1;
    for length in [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if left < length {
            break;
        }
        left -= length;
        month += 1;
    }
    (year, month, left + 1)
}

#[cfg(test)]
mod tests {
    use super::utc;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00:00"),
            (951_782_399, "2000-02-28 23:59:59"),
            (951_782_400, "2000-02-29 00:00:00"),
            (951_868_800, "2000-03-01 00:00:00"),
            (1_709_164_800, "2024-02-29 00:00:00"),
            (1_767_225_599, "2025-12-31 23:59:59"),
            (4_107_542_400, "2100-03-01 00:00:00"),
        ] {
            assert_eq!(utc(seconds * 1000), text);
        }
        // Whatever a file says, a text comes out.
        assert!(!utc(u64::MAX).is_empty());
    }
}

//! JSON documents of about 2 kB, as programs get them from others.

use serde_json::{Value, json};
use twat_cache_benches::sample;

/// A kind of document, and how the one with a number is made.
pub(crate) type Kind = (&'static str, fn(u64) -> Value);

pub(crate) const KINDS: [Kind; 5] = [
    ("search results", results),
    ("forecasts", forecast),
    ("repositories", repository),
    ("log records", records),
    ("articles", article),
];

/// The kinds that are mostly text. They repeat little.
pub(crate) const TEXTS: [&str; 1] = ["articles"];

struct Random(u64);

impl Random {
    /// The numbers of a document.
    fn of(document: u64) -> Self {
        Self(sample::scatter(document))
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 = sample::scatter(self.0);
        self.0 % end
    }

    fn index(&mut self, end: usize) -> usize {
        usize::try_from(self.below(end as u64)).unwrap_or(0)
    }

    fn one_of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.index(all.len())]
    }

    fn id(&mut self) -> String {
        self.below(1);
        format!("{:016x}", self.0)
    }

    fn price(&mut self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "it is small")]
        let cents = self.below(100_000) as f64;
        cents / 100.0
    }

    fn time(&mut self) -> String {
        let [day, hour, minute, second, thousandth] = [28, 24, 60, 60, 1000].map(|end| self.below(end));
        format!("2026-11-{:02}T{hour:02}:{minute:02}:{second:02}.{thousandth:03}Z", day + 1)
    }

    fn name(&mut self) -> String {
        let first = ["Anna", "John", "Wei", "Fatima", "Carlos", "Priya", "Lars", "Mary", "Yuki", "Olga"];
        let last = ["Kowalska", "Smith", "Zhang", "Hassan", "Ortega", "Natarajan", "Eriksen", "O'Brien", "Tanaka"];
        format!("{} {}", self.one_of(&first), self.one_of(&last))
    }

    /// Words of English, the common ones more often.
    fn text(&mut self, words: usize) -> String {
        let all: Vec<&str> = WORDS.split_whitespace().collect();
        let mut text = String::new();
        for _ in 0..words {
            let most = self.index(all.len()) + 1;
            text.push_str(all[self.index(most)]);
            text.push_str(if self.below(12) == 0 { ". " } else { " " });
        }
        text
    }
}

fn results(number: u64) -> Value {
    let random = &mut Random::of(number);
    let items: Vec<_> = (0..9)
        .map(|_| {
            json!({
                "id": random.below(9_000_000), "created_at": random.time(), "updated_at": random.time(),
                "status": random.one_of(&["active", "pending", "closed"]),
                "owner": { "name": random.name(), "verified": random.below(2) == 0 },
                "price": random.price(), "currency": "EUR",
                "tags": [random.one_of(&["new", "sale", "used"]), random.one_of(&["red", "blue", "green"])],
            })
        })
        .collect();
    json!({ "page": random.below(100), "per_page": 9, "total": random.below(10_000), "items": items })
}

fn forecast(number: u64) -> Value {
    let random = &mut Random::of(number);
    let hours: Vec<_> = (0..18)
        .map(|hour| {
            json!({
                "time": format!("2026-11-26T{hour:02}:00"), "temperature": random.below(40), "humidity": random.below(100),
                "wind": { "speed": random.price(), "direction": random.one_of(&["N", "NE", "E", "S", "SW", "W"]) },
                "rain": if random.below(3) == 0 { random.below(50) } else { 0 },
            })
        })
        .collect();
    json!({ "city": random.one_of(&["Warsaw", "Berlin", "Tokyo", "Lagos"]), "units": "metric", "hourly": hours })
}

fn repository(number: u64) -> Value {
    let random = &mut Random::of(number);
    let owner = random.one_of(&["alpha", "river-labs", "north", "qed", "open-maps"]);
    let name = format!("{}-{}", random.one_of(&["cache", "fonts", "web", "data", "kernel"]), random.below(1000));
    let url = format!("https://api.example.com/repos/{owner}/{name}");
    let at = |part: &str| format!("{url}/{part}");
    json!({
        "id": random.below(1 << 30), "node_id": random.id(), "name": name, "full_name": format!("{owner}/{name}"),
        "owner": { "login": owner, "id": random.below(1 << 24), "type": "Organization", "site_admin": false },
        "html_url": format!("https://example.com/{owner}/{name}"), "description": random.text(14), "url": url,
        "forks_url": at("forks"), "hooks_url": at("hooks"), "events_url": at("events"), "tags_url": at("tags"),
        "branches_url": at("branches{/branch}"), "commits_url": at("commits{/sha}"), "issues_url": at("issues{/number}"),
        "languages_url": at("languages"), "releases_url": at("releases{/id}"), "created_at": random.time(),
        "updated_at": random.time(), "pushed_at": random.time(), "size": random.below(100_000),
        "stargazers_count": random.below(50_000), "language": random.one_of(&["Rust", "C", "Python", "Go"]),
        "has_issues": true, "has_wiki": random.below(2) == 0, "archived": false, "open_issues": random.below(900),
        "license": { "key": "mit", "name": "MIT License", "spdx_id": "MIT" }, "default_branch": "main",
    })
}

fn records(number: u64) -> Value {
    let random = &mut Random::of(number);
    let records = (0..8).map(|_| {
        let (path, took) = (random.one_of(&["/api/v1/users", "/api/v1/orders", "/health"]), random.below(3000));
        json!({
            "timestamp": random.time(), "level": random.one_of(&["INFO", "INFO", "WARN", "ERROR"]),
            "logger": random.one_of(&["http.server", "db.pool", "auth.session"]), "message": format!("GET {path} in {took} ms"),
            "trace_id": random.id(), "user_id": random.below(100_000), "host": format!("web-{:02}.eu-west", random.below(20)),
            "context": { "status": random.one_of(&["200", "404", "500"]), "bytes": random.below(60_000) },
        })
    });
    Value::Array(records.collect())
}

fn article(number: u64) -> Value {
    let random = &mut Random::of(number);
    json!({
        "id": random.id(), "title": random.text(7), "author": { "name": random.name(), "city": "Warsaw" },
        "published": random.time(), "body": random.text(320), "comments": random.below(100), "section": "culture",
    })
}

/// Common words of English, in the order of their use.
const WORDS: &str = "the of and to a in that is was for it with as his on be at by had not are but from or have an they \
    which one you were all her she there would their we him been has when who will no more if out so up said what its \
    about than into them can only other time new some could these two may first then do any like my now over such our \
    man me even most made after also did many off before must well back through years much where your way down should \
    because long each just state those people too little how good world make very year still see own work men day get \
    here between both life being under three never know same last another while us might great go come since against \
    right came take used himself few house use place during high without again home around small however found part \
    school thought went say general once upon war every does got united left number course until always away something \
    fact water though less public put thing almost hand enough far took head yet government system better set told \
    nothing night end why called eyes find going look asked later knew point next program city business give group";

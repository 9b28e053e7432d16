use super::*;

const SPEED: Range = Range::new(0.1, 2000.0, "mm/s");

fn problems_of(text: &str, read: impl FnOnce(Table<'_>)) -> Vec<String> {
    let node = parse_json(text).expect("the test document is JSON");
    let problems = Problems::default();
    read(Value::root(&node, &problems).table().expect("the test document is a table"));
    problems.finish(Some(())).err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

#[test]
fn all_mistakes_of_a_table_are_noted_at_once() {
    let found = problems_of(r#"{"v_m_s": 1, "acc": "fast", "a": [1, 2, 1e300]}"#, |mut table| {
        assert_eq!(table.number("v_mm_s", SPEED), None);
        assert_eq!(table.number("acc", SPEED), None);
        assert_eq!(table.optional("a").and_then(|value| value.vector::<3>(SPEED)), None);
    });
    assert_eq!(
        found,
        [
            "v_mm_s: missing; allowed: a number, 0.1 to 2000 mm/s; remedy: add `v_mm_s`".to_owned(),
            "acc: found \"fast\"; allowed: a number, 0.1 to 2000 mm/s; \
             remedy: write the number without quotes; its unit is in the key"
                .to_owned(),
            format!(
                "a[2]: 1{} is too large; allowed: 0.1 to 2000 mm/s; remedy: lower it; check its unit",
                "0".repeat(300)
            ),
            "v_m_s: unknown key; allowed: `v_mm_s`, `acc`, `a`; remedy: did you mean `v_mm_s`?".to_owned(),
        ]
    );
}

#[test]
fn a_key_written_twice_is_refused() {
    let found = problems_of(r#"{"v": 1, "v": 2}"#, |mut table| {
        let _ = table.number("v", SPEED);
    });
    assert_eq!(found, ["v: written twice; allowed: every key once; remedy: remove one of the two"]);
}

#[test]
fn keys_of_an_abandoned_table_are_not_called_unknown() {
    assert!(problems_of(r#"{"v": 1}"#, |table| table.abandon()).is_empty());
}

#[test]
fn text_that_is_not_json_is_refused_with_its_line() {
    for (text, place, message) in [
        ("", "line 1, column 0", "EOF while parsing a value"),
        ("{\n  \"a\": NaN\n}", "line 2, column 8", "expected value in `\"a\": NaN`"),
        ("{\n  \"a\": 1e999\n}", "line 2, column 12", "number out of range in `\"a\": 1e999`"),
        ("{\"a\": Infinity}", "line 1, column 7", "expected value"),
        ("[1] [2]", "line 1, column 5", "trailing characters"),
        ("{\"a\": 1,}", "line 1, column 9", "trailing comma"),
    ] {
        let problem = parse_json(text).expect_err(text);
        assert_eq!(problem.place, place, "{text}");
        assert!(problem.message.contains(message), "{text}: {problem}");
    }
}

#[test]
fn text_that_is_not_toml_is_refused_with_its_line() {
    let problem = parse_toml("a = 1\nb = = 2\n").expect_err("not TOML");
    assert_eq!(problem.place, "line 2, column 5");
    assert!(problem.message.contains("b = = 2"), "{problem}");
    let problem = parse_toml("a = 1\na = 2\n").expect_err("a key twice");
    assert_eq!(problem.place, "line 2, column 1");
}

#[test]
fn lines_that_are_not_toml_hide_no_mistake_of_the_rest() {
    let text = "a = = 3\nb = 1\n[t\nc = 2\nd = [1, 2\n[u]\ne = \"x\nf = 4\ng = 1\ng = 2\n";
    let seen = |node: &Node| -> Result<(), Vec<Problem>> {
        assert_eq!(*node, parse_toml("b = 1\n[u]\nf = 4\ng = 1\n").expect("TOML"));
        let missing = Problem::new("a", Problem::MISSING_KEY, "", "");
        Err(vec![Problem::new("u.f", "4 is too large", "", ""), missing])
    };
    let problems = read_toml(text, seen).expect_err("four mistakes of form, one of content");
    let places: Vec<&str> = problems.iter().map(|problem| problem.place.as_str()).collect();
    assert_eq!(
        places,
        ["line 1, column 5", "line 3, column 3", "line 7, column 7", "line 10, column 1", "u.f"]
    );
    assert!(problems[0].remedy.contains("looked at without it"), "{}", problems[0]);
    assert_eq!(read_toml("a = 1", |_| Ok(7)), Ok(7));
}

#[test]
fn a_text_of_which_nothing_is_toml_is_no_work_without_end() {
    let text = "}{\n".repeat(10_000);
    let problems = read_toml(&text, |_| Ok(())).expect_err("not TOML");
    assert!(problems.len() < 30 && problems[0].remedy.contains("was not looked at"), "{}", problems[0]);
    assert!(read_toml("a = \"\"\"\nb\nc = 1\n", |_| Ok(())).is_err());
}

#[test]
fn toml_and_json_make_the_same_tree() {
    let toml = parse_toml("a = 1\nb = 2.5\nc = [true, \"x\"]\n[d]\ne = -1\n").expect("TOML");
    let json = parse_json(r#"{"a":1,"b":2.5,"c":[true,"x"],"d":{"e":-1}}"#).expect("JSON");
    assert_eq!(toml, json);
}

#[test]
fn infinities_of_toml_do_not_pass_a_number() {
    for text in ["v = inf", "v = -inf", "v = nan"] {
        let node = parse_toml(text).expect("TOML");
        let problems = Problems::default();
        let root = Value::root(&node, &problems);
        assert_eq!(root.table().and_then(|mut table| table.number("v", SPEED)), None, "{text}");
        assert_eq!(problems.len(), 1, "{text}");
    }
}

#[test]
fn nesting_and_size_are_bounded() {
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(parse_json(&deep(JSON_DEPTH_MAX)).is_ok());
    let problem = parse_json(&deep(JSON_DEPTH_MAX + 1)).expect_err("too deep");
    assert!(problem.message.contains("deeper than 32"), "{problem}");
    assert!(parse_json(&deep(100_000)).is_err());
    let long = format!("\"{}\"", "a".repeat(JSON_SIZE_MAX));
    assert_eq!(parse_json(&long).expect_err("too long").place, "document");
}

#[test]
fn whole_numbers_are_not_rounded_into_range() {
    let found = problems_of(r#"{"a": 1.5, "b": 300, "c": 99999999999999999999}"#, |mut table| {
        assert_eq!(table.whole::<u8>("a", 0..=255), None);
        assert_eq!(table.whole::<u8>("b", 0..=255), None);
        assert_eq!(table.whole::<u8>("c", 0..=255), None);
    });
    assert_eq!(found.len(), 3);
}

//! Which tokenizer finds what people look for, in eight languages: the measurement behind docs/adr/0006-search.md.
//!
//! Sentences and questions are written by hand, with what each question should find. `figures` prints recall, false hits, size and
//! speed of four ways; the test holds the chosen way to finding everything.

use std::collections::BTreeSet;
use std::time::Instant;

use icu_segmenter::WordSegmenter;
use rusqlite::{Connection, params};

use super::words;

/// Sentences by number.
const SENTENCES: &[(i64, &str)] = &[
    (1, "أينَ طلبي؟ لم يصل حتى الآن"),
    (2, "اين طلبي من فضلك"),
    (3, "أريد استرجاع المصباح، إنه مكسور"),
    (4, "السعر ١٥٠ ريال مع التوصيل إلى جدّة"),
    (5, "متى تفتحون يوم الجمعة"),
    (11, "मेरा ऑर्डर कहाँ है?"),
    (12, "मुझे यह किताब वापस करनी है"),
    (13, "क्या आप कल डिलीवरी कर सकते हैं"),
    (14, "कीमत ५०० रुपये है"),
    (15, "कताब नहीं, मुझे कुर्सी चाहिए"),
    (21, "อยากได้โคมไฟสีทองค่ะ"),
    (22, "ส่งของวันไหนคะ"),
    (23, "สินค้าแตก ขอคืนเงินได้ไหม"),
    (24, "ราคาเท่าไหร่ครับ รวมค่าส่งไหม"),
    (25, "ขอบคุณค่ะ ได้รับของแล้ว"),
    (31, "请问我的订单什么时候发货？"),
    (32, "手机壳有黑色的吗"),
    (33, "我要退货，商品坏了"),
    (34, "可以开发票吗？谢谢"),
    (35, "上海市浦东新区世纪大道100号"),
    (41, "Meu pedido ainda não chegou"),
    (42, "Quero devolver a luminária, veio quebrada"),
    (43, "Vocês entregam em São Paulo amanhã?"),
    (44, "Qual é o preço com frete incluído"),
    (45, "A informação está errada, por favor corrija"),
    (51, "Where is my order? It has not arrived"),
    (52, "The lamp came broken, I want to return it"),
    (53, "Entrega em Zürich, Straße 12"),
];

/// A question, and the sentences that it should find.
const QUESTIONS: &[(&str, &str, &[i64])] = &[
    ("Arabic", "طلبي", &[1, 2]),
    ("Arabic", "اين", &[1, 2]),
    ("Arabic", "أين", &[1, 2]),
    ("Arabic", "المصباح", &[3]),
    ("Arabic", "150", &[4]),
    ("Arabic", "جده", &[4]),
    ("Arabic", "الجم", &[5]),
    ("Hindi", "किताब", &[12]),
    ("Hindi", "ऑर्डर", &[11]),
    ("Hindi", "डिलीवरी", &[13]),
    ("Hindi", "500", &[14]),
    ("Hindi", "है", &[11, 12, 13, 14]),
    ("Thai", "โคมไฟ", &[21]),
    ("Thai", "คืนเงิน", &[23]),
    ("Thai", "ราคา", &[24]),
    ("Thai", "ส่ง", &[22, 24]),
    ("Thai", "ของ", &[22, 25]),
    ("Thai", "ได้", &[21, 23, 25]),
    ("Chinese", "订单", &[31]),
    ("Chinese", "手机", &[32]),
    ("Chinese", "退货", &[33]),
    ("Chinese", "发票", &[34]),
    ("Chinese", "货", &[31, 33]),
    ("Chinese", "世纪大道", &[35]),
    ("Chinese", "100号", &[35]),
    ("Portuguese", "nao", &[41]),
    ("Portuguese", "luminaria", &[42]),
    ("Portuguese", "são paulo", &[43]),
    ("Portuguese", "PRECO", &[44]),
    ("Portuguese", "informação", &[45]),
    ("Portuguese", "entreg", &[43, 53]),
    ("English, German", "order", &[51]),
    ("English, German", "retur", &[52]),
    ("English, German", "zurich", &[53]),
];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    /// The text as it is, words by Unicode's classes.
    Plain,
    /// Every three letters.
    Trigram,
    /// Words by ICU's dictionaries, then as the first.
    Icu,
    /// Ours: [`words::indexed`], marks belong to words.
    Chosen,
}

const WAYS: [Way; 4] = [Way::Plain, Way::Trigram, Way::Icu, Way::Chosen];

impl Way {
    fn tokenizer(self) -> &'static str {
        match self {
            Self::Plain | Self::Icu => "unicode61 remove_diacritics 2",
            Self::Trigram => "trigram remove_diacritics 1",
            Self::Chosen => "unicode61 remove_diacritics 2 categories ''L* N* Co Mn Mc''",
        }
    }

    fn form(self, text: &str, icu: &WordSegmenter) -> String {
        match self {
            Self::Plain | Self::Trigram => text.to_owned(),
            Self::Icu => {
                let ends: Vec<usize> = icu.segment_str(text).collect();
                ends.windows(2).filter_map(|pair| text.get(pair[0]..pair[1])).collect::<Vec<_>>().join(" ")
            }
            Self::Chosen => words::indexed(text),
        }
    }

    fn question(self, text: &str, icu: &WordSegmenter) -> String {
        match self {
            Self::Chosen => words::question(&words::words(text)).unwrap_or_default(),
            Self::Trigram => text.split(' ').map(|word| format!("\"{word}\" ")).collect(),
            _ => text.split(' ').map(|word| format!("\"{}\"* ", self.form(word, icu))).collect(),
        }
    }

    fn table(self) -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        let sql = format!("CREATE VIRTUAL TABLE t USING fts5(text, content='', tokenize='{}')", self.tokenizer());
        connection.execute_batch(&sql).unwrap();
        connection
    }

    fn finds(self, connection: &Connection, question: &str, icu: &WordSegmenter) -> BTreeSet<i64> {
        let mut statement = connection.prepare_cached("SELECT rowid FROM t WHERE t MATCH ?1").unwrap();
        let found = statement.query_map([self.question(question, icu)], |row| row.get(0)).unwrap();
        found.map(Result::unwrap).collect()
    }
}

/// Recall and false hits of a way: what was found of what should be, and what should not have been.
fn judge(way: Way, language: Option<&str>) -> (usize, usize, usize) {
    let icu = WordSegmenter::new_auto();
    let connection = way.table();
    for (number, text) in SENTENCES {
        connection
            .execute("INSERT INTO t (rowid, text) VALUES (?1, ?2)", params![number, way.form(text, &icu)])
            .unwrap();
    }
    let (mut right, mut wanted, mut wrong) = (0, 0, 0);
    for (_, question, should) in QUESTIONS.iter().filter(|(of, _, _)| language.is_none_or(|language| *of == language)) {
        let found = way.finds(&connection, question, &icu);
        let should: BTreeSet<i64> = should.iter().copied().collect();
        right += found.intersection(&should).count();
        wanted += should.len();
        wrong += found.difference(&should).count();
    }
    (right, wanted, wrong)
}

#[test]
fn the_chosen_way_finds_everything_in_every_language_and_nothing_else() {
    let (right, wanted, wrong) = judge(Way::Chosen, None);
    assert_eq!((right, wrong), (wanted, 0));
    for other in [Way::Plain, Way::Trigram, Way::Icu] {
        assert!(judge(other, None).0 < wanted, "{other:?} would do");
    }
}

/// `cargo nextest run --lib -E 'test(search::corpus::figures)' --run-ignored all --success-output immediate`
#[test]
#[ignore = "measures; prints the table of docs/adr/0006-search.md"]
fn figures() {
    let mut languages: Vec<&str> = QUESTIONS.iter().map(|(of, _, _)| *of).collect();
    languages.dedup();
    for way in WAYS {
        let all = languages.iter().map(|language| {
            let (right, wanted, wrong) = judge(way, Some(language));
            format!("{language} {right}/{wanted}+{wrong}")
        });
        println!("{way:?}: {}", all.collect::<Vec<_>>().join(", "));
    }
    let icu = WordSegmenter::new_auto();
    for way in WAYS {
        let connection = way.table();
        let started = Instant::now();
        connection.execute_batch("BEGIN").unwrap();
        let mut count = 0;
        // ICU's dictionaries are slow without optimisation: fewer texts for it.
        for round in 0..if way == Way::Icu { 4 } else { 2_000i64 } {
            for (number, text) in SENTENCES {
                let text = format!("{text} {}", (round * 31 + number) % 5_000);
                let mut insert = connection.prepare_cached("INSERT INTO t (rowid, text) VALUES (?1, ?2)").unwrap();
                insert.execute(params![count, way.form(&text, &icu)]).unwrap();
                count += 1;
            }
        }
        connection.execute_batch("COMMIT").unwrap();
        let seconds = started.elapsed().as_secs_f64();
        let pages: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        let started = Instant::now();
        for (_, question, _) in QUESTIONS {
            let sql = "SELECT rowid FROM t WHERE t MATCH ?1 ORDER BY rowid DESC LIMIT 20";
            let mut statement = connection.prepare_cached(sql).unwrap();
            let found = statement.query_map([way.question(question, &icu)], |row| row.get::<_, i64>(0)).unwrap();
            assert!(found.count() <= 20);
        }
        let each = started.elapsed().as_secs_f64() * 1_000.0 / QUESTIONS.len() as f64;
        println!(
            "{way:?}: {:.0} texts/s, {:.1} MB for {count} texts, a question {each:.2} ms",
            count as f64 / seconds,
            pages as f64 * 4_096.0 / 1e6
        );
    }
}

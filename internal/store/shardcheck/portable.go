package shardcheck

import "fmt"

// The words, operators and functions outside the common subset of SQLite and
// PostgreSQL, with what to write instead.
var (
	foreignWords = map[string]string{
		"like": "compare a folded column or a blind index", "ilike": "compare a folded column", "glob": "compare in Go",
		"regexp": "compare in Go", "match": "compare in Go", "similar": "compare in Go",
		"current_timestamp": "pass the time", "current_date": "pass the time", "current_time": "pass the time",
		"localtime": "pass the time", "localtimestamp": "pass the time",
		"autoincrement": "make the id in Go", "rowid": "name the key", "_rowid_": "name the key", "ctid": "name the key",
		"any": "expand IN ($1, $2, …)", "some": "expand IN ($1, $2, …)", "array": "expand IN ($1, $2, …)",
		"collate": "compare in Go", "indexed": "leave it out", "isnull": "IS NULL", "notnull": "IS NOT NULL",
		"lateral": "join", "fetch": "LIMIT", "interval": "compute in Go", "tablesample": "leave it out",
	}
	foreignOps = map[string]string{
		"->": "no JSON in SQL", "->>": "no JSON in SQL", "#>": "no JSON in SQL", "#>>": "no JSON in SQL", "@>": "no JSON in SQL",
		"<@": "no JSON in SQL", "@@": "no text search", "?|": "no JSON in SQL", "?&": "no JSON in SQL", "#-": "no JSON in SQL",
		"::": "CAST", "==": "=", "~": "compare in Go", "~*": "compare in Go", "!~": "compare in Go", "!~*": "compare in Go", "<=>": "IS NOT DISTINCT FROM",
		"?": "$1, $2, …", ":": "$1, $2, …", "@": "$1, $2, …", "`": "no quotes or \"…\"", "[": "no quotes or \"…\"",
	}
	// commonFunctions behave the same on both engines.
	commonFunctions = words("count sum min max avg coalesce nullif abs length lower upper substr trim round cast replace " +
		"row_number rank dense_rank lag lead first_value last_value ntile")
	// beforeParen are keywords that may stand before a parenthesis.
	beforeParen = words("in values and or not where on select from as exists over filter by set when then else case between using " +
		"union all having limit offset returning conflict join is distinct except intersect materialized partition into table any some key")
)

func words(s string) map[string]bool {
	out := map[string]bool{}
	for w := range fieldsSeq(s) {
		out[w] = true
	}
	return out
}

// portable reports what only one of the two engines understands, or both
// understand differently (rule 6), and placeholders out of order (rule 5).
func (a *analysis) portable() {
	seen := 0
	for i, t := range a.toks {
		switch t.kind {
		case param:
			if t.n > seen+1 {
				a.report("placeholders are not numbered in order of first appearance: %s before $%d", t.s, seen+1)
			}
			seen = max(seen, t.n)
		case punct:
			if use, ok := foreignOps[t.s]; ok {
				a.report("%s is not portable; use: %s", t.s, use)
			}
		case word:
			a.portableWord(i, t)
		}
	}
	a.params = seen
}

func (a *analysis) portableWord(i int, t token) {
	if a.at(i - 1).is(".") {
		return // a column's name
	}
	if use, ok := foreignWords[t.s]; ok {
		a.report("%s is not portable; use: %s", t.s, use)
		return
	}
	next := a.at(i + 1)
	switch {
	case t.is("for") && next.is("update", "share", "no", "key"):
		a.report("FOR %s is not portable; use: a no-op UPDATE of the row", next.s)
	case t.is("skip") && next.is("locked"), t.is("nowait"):
		a.report("%s is not portable; use: a conditional UPDATE", t.s)
	case t.is("insert", "update") && next.is("or"):
		a.report("%s OR is not portable; use: ON CONFLICT", t.s)
	case t.is("conflict") && next.is("on"):
		a.report("ON CONFLICT ON CONSTRAINT is not portable; use: the columns")
	case t.is("distinct") && next.is("on"):
		a.report("DISTINCT ON is not portable; use: a window function")
	case next.is("("):
		a.function(i, t)
	}
}

// function checks a word before a parenthesis.
func (a *analysis) function(i int, t token) {
	if beforeParen[t.s] || a.at(i-1).is("into", "references") {
		return
	}
	if a.at(i-2).is("into") || a.at(i-3).is("into") && a.at(i-2).name() && a.at(i-1).is("as") {
		return // INSERT INTO t AS x (columns)
	}
	end := a.pair[i+1]
	if a.at(end+1).is("as") && a.at(end+2).is("(", "not", "materialized") {
		return // WITH name (columns) AS (…)
	}
	if !commonFunctions[t.s] {
		a.report("function %s is not in the common subset", t.s)
		return
	}
	if t.is("min", "max") && len(a.split(i+2, end, ",")) > 1 {
		a.report("%s of several values is not portable; use: CASE", t.s)
	}
}

func (a *analysis) report(format string, args ...any) {
	a.problems = append(a.problems, fmt.Sprintf(format, args...))
}

package shardcheck

import (
	"slices"
	"strings"
)

// column is the name of the shard key in every sharded table.
const column = "bucket"

func fieldsSeq(s string) func(func(string) bool) { return strings.FieldsSeq(s) }

// value is a bucket as written in a statement: a placeholder or a number.
type value struct {
	param int // 0: a number
	num   string
}

// analysis is what one statement says, whatever its arguments are.
type analysis struct {
	toks      []token
	pair      map[int]int
	unsharded map[string]bool

	problems   []string // on any call
	unbound    []string // sharded tables without a bucket; excused by Scatter
	values     []value  // the buckets of predicates
	rows       []value  // the buckets of inserted rows
	params     int      // the highest placeholder
	reads      bool     // a SELECT or VALUES
	limited    bool     // its result has a LIMIT
	touches    bool     // names a sharded table
	writesRows bool
}

// ref is a table or subquery that a query names.
type ref struct {
	table, alias string
	sharded      bool
	bound        bool
}

// scope is the FROM list of one query, inside that of the query around it.
type scope struct {
	refs  []*ref
	links [][2]*ref // with equal buckets
	outer *scope
	ctes  map[string]bool
	on    [][2]int // join conditions
}

func analyse(query string, unsharded map[string]bool) *analysis {
	toks, problems := tokenize(query)
	a := &analysis{toks: toks, problems: problems, unsharded: unsharded}
	for len(a.toks) > 0 && a.toks[len(a.toks)-1].is(";") {
		a.toks = a.toks[:len(a.toks)-1]
	}
	var ok bool
	if a.pair, ok = pairs(a.toks); !ok {
		a.report("parentheses do not match")
		return a
	}
	if slices.ContainsFunc(a.toks, func(t token) bool { return t.is(";") }) {
		a.report("more than one statement")
	}
	a.portable()
	a.statement(0, len(a.toks), &scope{}, true)
	return a
}

func (a *analysis) at(i int) token {
	if i < 0 || i >= len(a.toks) {
		return token{kind: punct}
	}
	return a.toks[i]
}

// skip returns the position after token i, or after its closing parenthesis.
func (a *analysis) skip(i int) int {
	if end, ok := a.pair[i]; ok {
		return end + 1
	}
	return i + 1
}

// find returns the first of words in lo..hi outside parentheses, or hi.
func (a *analysis) find(lo, hi int, words ...string) int {
	for i := lo; i < hi; i = a.skip(i) {
		if a.toks[i].is(words...) && !(a.toks[i].is("from") && a.at(i-1).is("distinct") && a.at(i-2).is("is", "not")) {
			return i
		}
	}
	return hi
}

// split cuts lo..hi at a word outside parentheses.
func (a *analysis) split(lo, hi int, sep string) (out [][2]int) {
	start := lo
	for i := lo; i < hi; i = a.skip(i) {
		if a.toks[i].is(sep) {
			out = append(out, [2]int{start, i})
			start = i + 1
		}
	}
	return append(out, [2]int{start, hi})
}

// statement analyses a whole statement or a subquery in lo..hi.
func (a *analysis) statement(lo, hi int, outer *scope, top bool) {
	in := &scope{outer: outer, ctes: map[string]bool{}}
	if a.at(lo).is("with") && lo < hi {
		lo = a.with(lo+1, hi, in)
	}
	for top && lo < hi && a.at(lo).is("(") && a.skip(lo) == hi {
		lo, hi = lo+1, hi-1
	}
	if lo >= hi {
		a.report("an empty statement")
		return
	}
	switch t := a.toks[lo]; {
	case t.is("select", "values", "("):
		if top {
			a.reads = true
			a.limited = a.find(lo, hi, "limit") < hi
		}
		a.query(lo, hi, in)
	case !top:
		a.report("%s inside another statement is not portable", t.s)
	case t.is("insert"):
		a.insert(lo, hi, in)
	case t.is("update"):
		a.update(lo, hi, in)
	case t.is("delete"):
		a.remove(lo, hi, in)
	default:
		a.report("only SELECT, INSERT, UPDATE and DELETE are in the common subset")
	}
}

// with analyses common table expressions and returns where the main statement
// begins. Their names count as tables that are not sharded: what they read was
// checked inside them.
func (a *analysis) with(i, hi int, in *scope) int {
	if a.at(i).is("recursive") {
		i++
	}
	for i < hi {
		in.ctes[a.at(i).s] = true
		i++
		if a.at(i).is("(") {
			i = a.skip(i)
		}
		for i < hi && !a.at(i).is("(") {
			i++ // AS [NOT MATERIALIZED]
		}
		if i >= hi {
			return hi
		}
		a.statement(i+1, a.pair[i], in, false)
		i = a.skip(i)
		if !a.at(i).is(",") {
			return i
		}
		i++
	}
	return hi
}

// query analyses SELECT and VALUES, alone or joined by UNION and the like.
func (a *analysis) query(lo, hi int, in *scope) {
	tail := a.find(lo, hi, "order", "limit", "offset")
	a.limitClause(tail, hi)
	for start := lo; start < hi; {
		end := a.find(start, tail, "union", "intersect", "except")
		a.arm(start, end, in)
		start = end + 1
		if a.at(start).is("all") {
			start++
		}
		if end >= tail {
			break
		}
	}
	a.subqueries(tail, hi, in)
}

// limitClause refuses LIMIT x, y.
func (a *analysis) limitClause(lo, hi int) {
	if i := a.find(lo, hi, "limit"); i < hi && a.find(i, hi, ",") < hi {
		a.report("LIMIT with a comma is not portable; use: LIMIT … OFFSET …")
	}
}

// arm analyses one SELECT without ORDER BY and LIMIT.
func (a *analysis) arm(lo, hi int, in *scope) {
	if a.at(lo).is("(") {
		a.statement(lo+1, a.pair[lo], in, false)
		return
	}
	from := a.find(lo, hi, "from")
	rest := a.find(from, hi, "where", "group", "having", "window")
	own := &scope{outer: in, ctes: map[string]bool{}}
	if from < hi {
		a.from(from+1, rest, own)
	}
	a.where(rest, hi, own)
	a.settle(own)
	a.subqueries(lo, from, own)
	a.subqueries(rest, hi, own)
}

// where reads the predicates of a WHERE clause that begins at lo, if one does.
func (a *analysis) where(lo, hi int, own *scope) {
	if lo < hi && a.toks[lo].is("where") {
		a.conjuncts(lo+1, a.find(lo+1, hi, "group", "having", "window", "order", "limit", "returning"), own)
	}
}

// from reads a FROM list with its joins.
func (a *analysis) from(lo, hi int, own *scope) {
	for i := lo; i < hi; {
		i = a.factor(i, hi, own)
		for i < hi && !a.at(i).is(",", "join") {
			if a.at(i).is("on") {
				end := a.find(i+1, hi, ",", "join", "left", "right", "inner", "full", "cross", "natural")
				own.on = append(own.on, [2]int{i + 1, end})
				a.conjuncts(i+1, end, own)
				i = end
				continue
			}
			if a.at(i).is("using") && a.at(i+1).is("(") {
				a.using(i+2, a.pair[i+1], own)
			}
			i = a.skip(i)
		}
		i++
	}
}

// factor reads a table, a subquery or joins in parentheses, and its alias.
func (a *analysis) factor(i, hi int, own *scope) int {
	r := &ref{bound: true}
	switch t := a.at(i); {
	case t.is("(") && a.at(i+1).is("select", "with", "values"):
		a.statement(i+1, a.pair[i], own.outer, false)
		i = a.skip(i)
	case t.is("("):
		a.from(i+1, a.pair[i], own)
		return a.skip(i)
	case t.name():
		i = a.table(i, r, own)
	default:
		return i
	}
	return a.alias(i, hi, r, own)
}

// table reads a table's name into r.
func (a *analysis) table(i int, r *ref, in *scope) int {
	r.table = a.at(i).s
	if a.at(i + 1).is(".") {
		a.report("a table with a schema is not portable")
		r.table, i = a.at(i+2).s, i+2
	}
	r.alias = r.table
	r.sharded = !a.unsharded[r.table] && !isCTE(in, r.table)
	r.bound = !r.sharded
	a.touches = a.touches || r.sharded
	return i + 1
}

func isCTE(s *scope, name string) bool {
	for ; s != nil; s = s.outer {
		if s.ctes[name] {
			return true
		}
	}
	return false
}

// notAlias are keywords that may follow a table.
var notAlias = words("on using join left right inner full cross natural where group having window order limit offset set values select " +
	"returning default from union intersect except with as")

func (a *analysis) alias(i, hi int, r *ref, own *scope) int {
	if i < hi && a.at(i).is("as") {
		i++
	}
	if t := a.at(i); i < hi && (t.kind == quoted || t.kind == word && !notAlias[t.s]) {
		r.alias = t.s
		i++
	}
	own.refs = append(own.refs, r)
	return i
}

// using binds the table just joined to the bucket of those before it.
func (a *analysis) using(lo, hi int, own *scope) {
	if a.find(lo, hi, column) == hi || len(own.refs) < 2 {
		return
	}
	last := own.refs[len(own.refs)-1]
	for _, r := range own.refs[:len(own.refs)-1] {
		own.links = append(own.links, [2]*ref{last, r})
	}
}

// settle carries buckets over from table to table and reports the tables that
// have none.
func (a *analysis) settle(own *scope) {
	for changed := true; changed; {
		changed = false
		for _, l := range own.links {
			if l[0].bound != l[1].bound {
				l[0].bound, l[1].bound, changed = true, true, true
			}
		}
	}
	for _, r := range own.refs {
		if !r.bound {
			a.unbound = append(a.unbound, r.table)
		}
	}
	for _, c := range own.on {
		a.subqueries(c[0], c[1], own)
	}
}

// subqueries analyses the queries in parentheses anywhere in lo..hi.
func (a *analysis) subqueries(lo, hi int, own *scope) {
	for i := lo; i < hi; i++ {
		if a.toks[i].is("(") && a.at(i+1).is("select", "with", "values", "insert", "update", "delete") {
			a.statement(i+1, a.pair[i], own, false)
			i = a.pair[i]
		}
	}
}

package shardcheck

// insert analyses INSERT: the columns must name the bucket and every row must
// give it as a placeholder or a number.
func (a *analysis) insert(lo, hi int, in *scope) {
	a.writesRows = true
	i := lo + 1
	for i < hi && !a.at(i).is("into") {
		i++ // INSERT OR …, reported before
	}
	r := &ref{}
	i = a.table(i+1, r, in)
	own := &scope{outer: in, ctes: map[string]bool{}}
	i = a.alias(i, hi, r, own)
	at := -1
	if a.at(i).is("(") {
		for k, c := range a.split(i+1, a.pair[i], ",") {
			if c[1]-c[0] == 1 && a.toks[c[0]].s == column {
				at = k
			}
		}
		i = a.skip(i)
	} else {
		a.report("INSERT without a list of columns")
	}
	if r.sharded && at < 0 {
		a.unbound = append(a.unbound, r.table)
	}
	r.bound = true // its ON CONFLICT clause is about rows of these buckets
	conflict := a.conflict(i, hi)
	source := min(conflict, a.find(i, hi, "returning"))
	switch {
	case a.at(i).is("values"):
		a.insertRows(i+1, source, at, r, own)
	case a.at(i).is("select", "with"):
		a.insertSelect(i, source, at, r, own)
	default:
		a.report("INSERT needs VALUES or SELECT")
	}
	a.onConflict(conflict, hi, r, own)
}

func (a *analysis) insertRows(lo, hi, at int, r *ref, own *scope) {
	for i := lo; i < hi; i = a.skip(i) {
		if !a.toks[i].is("(") {
			continue
		}
		items := a.split(i+1, a.pair[i], ",")
		a.subqueries(i+1, a.pair[i], own)
		if !r.sharded || at < 0 {
			continue
		}
		var v *value
		if at < len(items) {
			v = a.value(items[at][0], items[at][1])
		}
		if v == nil {
			a.report("the bucket of a row of %s is not a placeholder", r.table)
			continue
		}
		a.rows = append(a.rows, *v)
	}
}

// insertSelect accepts as bucket a placeholder, a number or the bucket of a
// table of the SELECT, which the SELECT's own predicates fix.
func (a *analysis) insertSelect(lo, hi, at int, r *ref, own *scope) {
	a.statement(lo, hi, own.outer, false)
	if !r.sharded || at < 0 {
		return
	}
	start := a.find(lo, hi, "select")
	list := start + 1
	if a.at(list).is("distinct", "all") {
		list++
	}
	end := a.find(list, hi, "from", "where", "order", "limit", "union", "intersect", "except")
	if a.find(list, hi, "union", "intersect", "except") < hi {
		a.report("INSERT from a compound SELECT is not checked; use: separate statements")
		return
	}
	items := a.split(list, end, ",")
	if at >= len(items) {
		a.report("the SELECT has fewer columns than the INSERT")
		return
	}
	from, to := items[at][0], a.find(items[at][0], items[at][1], "as")
	if v := a.value(from, to); v != nil {
		a.rows = append(a.rows, *v)
	} else if to <= from || a.toks[to-1].s != column || to-from != 1 && to-from != 3 {
		a.report("the bucket of a row of %s is not a placeholder", r.table)
	}
}

// conflict returns where ON CONFLICT begins, or hi.
func (a *analysis) conflict(lo, hi int) int {
	for i := lo; i < hi; i = a.skip(i) {
		if a.toks[i].is("on") && a.at(i+1).is("conflict") {
			return i
		}
	}
	return hi
}

func (a *analysis) onConflict(lo, hi int, r *ref, own *scope) {
	i := lo + 2
	if i < hi && a.at(i).is("(") {
		target := false
		for _, c := range a.split(i+1, a.pair[i], ",") {
			target = target || c[1]-c[0] == 1 && a.toks[c[0]].s == column
		}
		if r.sharded && !target {
			a.report("ON CONFLICT names a key of %s without its bucket", r.table)
		}
	}
	if i < hi {
		if set := a.find(i, hi, "set"); set < hi {
			a.set(set+1, a.find(set, hi, "where", "returning"), r)
		}
		a.subqueries(i, hi, own)
	}
}

// update analyses UPDATE … SET … [FROM …] [WHERE …].
func (a *analysis) update(lo, hi int, in *scope) {
	a.writesRows = true
	i := lo + 1
	if a.at(i).is("or") {
		i += 2 // reported before
	}
	own := &scope{outer: in, ctes: map[string]bool{}}
	r := &ref{}
	i = a.table(i, r, in)
	i = a.alias(i, hi, r, own)
	from := a.find(i, hi, "from")
	where := a.find(i, hi, "where", "returning")
	a.set(i+1, min(from, where), r)
	if from < where {
		a.from(from+1, where, own)
	}
	a.finish(i, where, hi, own)
}

// remove analyses DELETE FROM … [WHERE …].
func (a *analysis) remove(lo, hi int, in *scope) {
	a.writesRows = true
	i := lo + 1
	if a.at(i).is("from") {
		i++
	}
	own := &scope{outer: in, ctes: map[string]bool{}}
	r := &ref{}
	i = a.table(i, r, in)
	i = a.alias(i, hi, r, own)
	if a.find(i, hi, "using") < hi {
		a.report("DELETE USING is not portable; use: a subquery")
	}
	a.finish(i, a.find(i, hi, "where", "returning"), hi, own)
}

func (a *analysis) finish(lo, where, hi int, own *scope) {
	if a.find(lo, hi, "limit", "order") < hi {
		a.report("UPDATE and DELETE with ORDER BY or LIMIT are not portable; use: a subquery on the key")
	}
	a.where(where, hi, own)
	a.settle(own)
	a.subqueries(lo, hi, own)
}

// set refuses a new bucket: a row never moves.
func (a *analysis) set(lo, hi int, r *ref) {
	if !r.sharded {
		return
	}
	for _, c := range a.split(lo, hi, ",") {
		eq := a.find(c[0], c[1], "=")
		for i := c[0]; i < eq; i++ {
			if a.toks[i].name() && a.toks[i].s == column {
				a.report("the bucket of a row of %s is changed", r.table)
			}
		}
	}
}

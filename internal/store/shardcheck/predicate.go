package shardcheck

// conjuncts reads the predicates of lo..hi that hold for every row of the
// result: those joined by AND, and by nothing else, with the rest.
func (a *analysis) conjuncts(lo, hi int, own *scope) {
	if a.find(lo, hi, "or") < hi {
		return
	}
	start, between, cases := lo, 0, 0
	for i := lo; i < hi; i = a.skip(i) {
		switch {
		case a.toks[i].is("case"):
			cases++
		case a.toks[i].is("end"):
			cases--
		case cases > 0:
		case a.toks[i].is("between"):
			between++
		case a.toks[i].is("and") && between > 0:
			between--
		case a.toks[i].is("and"):
			a.conjunct(start, i, own)
			start = i + 1
		}
	}
	a.conjunct(start, hi, own)
}

// conjunct recognises bucket = $n, bucket = number and x.bucket = y.bucket,
// either way round and in parentheses.
func (a *analysis) conjunct(lo, hi int, own *scope) {
	if lo < hi && a.toks[lo].is("(") && a.skip(lo) == hi {
		a.conjuncts(lo+1, hi-1, own)
		return
	}
	eq := a.find(lo, hi, "=")
	if eq == hi {
		return
	}
	left, lv := a.side(lo, eq, own)
	right, rv := a.side(eq+1, hi, own)
	switch {
	case left != nil && right != nil:
		own.links = append(own.links, [2]*ref{left, right})
	case left != nil && rv != nil:
		left.bound = true
		a.values = append(a.values, *rv)
	case right != nil && lv != nil:
		right.bound = true
		a.values = append(a.values, *lv)
	}
}

// side reads one side of an equation: a table's bucket, or a value.
func (a *analysis) side(lo, hi int, own *scope) (*ref, *value) {
	switch {
	case hi-lo == 1 && a.toks[lo].name() && a.toks[lo].s == column:
		return own.lone(), nil
	case hi-lo == 3 && a.toks[lo].name() && a.toks[lo+1].is(".") && a.toks[lo+2].s == column:
		return own.find(a.toks[lo].s), nil
	}
	return nil, a.value(lo, hi)
}

func (a *analysis) value(lo, hi int) *value {
	if hi-lo != 1 {
		return nil
	}
	switch t := a.toks[lo]; t.kind {
	case param:
		return &value{param: t.n}
	case number:
		return &value{num: t.s}
	}
	return nil
}

// lone is the table that an unqualified bucket belongs to: the only sharded one.
func (s *scope) lone() *ref {
	var only *ref
	for _, r := range s.refs {
		if r.sharded {
			if only != nil {
				return nil
			}
			only = r
		}
	}
	return only
}

// find returns the table with an alias, here or in a query around this one.
func (s *scope) find(alias string) *ref {
	for ; s != nil; s = s.outer {
		for _, r := range s.refs {
			if r.alias == alias {
				return r
			}
		}
	}
	return nil
}

package changes

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"

	"tikakosh/internal/access/budget"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/budgets"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/state"
)

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

// form is the signed body of a proposal.
type form struct {
	Nonce   string            `json:"nonce"`
	Kind    string            `json:"kind"`
	Centre  id.Centre         `json:"center_id"`
	On      *bool             `json:"on"`
	Budgets map[string]int    `json:"budgets"`
	Files   map[string]string `json:"files"`
}

// parse reads a proposal and checks that it has the fields of its kind and no others.
func parse(body []byte) (f form, err error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if dec.Decode(&f) != nil || dec.More() {
		return f, fault.New(fault.Invalid, "USRRES0001", "the request body is not the JSON object that is wanted")
	}
	alone := f.Centre == 0 && f.On == nil
	switch {
	case f.Kind == vault.ChangeRosterMode && f.Centre > 0 && f.On != nil && f.Budgets == nil && f.Files == nil:
	case f.Kind == vault.ChangeBudgets && alone && len(f.Budgets) > 0 && f.Files == nil:
	case f.Kind == vault.ChangePolicies && alone && f.Budgets == nil && f.Files != nil:
	default:
		return f, fault.New(fault.Invalid, "USRRES0001", "a change has kind roster-mode with center_id and on, budgets with budgets, or policies with files")
	}
	return f, nil
}

// rows are the rows of budgets within a transaction.
type rows struct{ t *engine.Txn }

// Get implements budgets.Rows.
func (r rows) Get(key string) (state.Budget, bool, error) {
	return engine.Get[state.Budget](r.t, state.Budgets, key)
}

// Put implements budgets.Rows.
func (r rows) Put(key string, row state.Budget) error {
	return engine.Put(r.t, state.Budgets, key, row, 0)
}

// wanted is the change that a proposal asks for.
func (o *Office) wanted(t *engine.Txn, f form) (row state.Change, err error) {
	row = state.Change{Kind: f.Kind, Centre: f.Centre}
	switch f.Kind {
	case vault.ChangeRosterMode:
		row.On = *f.On
		row.Digest = rosterDigest(row.Centre, row.On)
	case vault.ChangeBudgets:
		now, err := budgets.Settings(rows{t})
		if err != nil {
			return row, err
		}
		s, err := now.With(f.Budgets)
		if err != nil {
			return row, err
		}
		if row.Content, err = json.Marshal(s.Named()); err != nil {
			return row, fault.Wrap(fault.Internal, err, "budgets")
		}
		row.Digest = digest(row.Content)
	case vault.ChangePolicies:
		if row.Content, row.Digest, err = o.wantedPolicies(f.Files); err != nil {
			return row, err
		}
	}
	row.Base, err = o.base(t, row)
	return row, err
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

func rosterDigest(c id.Centre, on bool) string {
	return digest([]byte(vault.ChangeRosterMode + "/" + decimal(int64(c)) + "/" + strconv.FormatBool(on)))
}

// base is the digest of what a change would take the place of, as it is now.
func (o *Office) base(t *engine.Txn, row state.Change) (string, error) {
	if row.Kind == vault.ChangeRosterMode {
		on, err := budgets.Roster(rows{t}, row.Centre)
		return rosterDigest(row.Centre, on), err
	}
	if row.Kind == vault.ChangePolicies {
		now, _, err := policiesNow(t)
		return now.Digest, err
	}
	s, err := budgets.Settings(rows{t})
	if err != nil {
		return "", err
	}
	return budgetsDigest(s)
}

func budgetsDigest(s budget.Settings) (string, error) {
	raw, err := json.Marshal(s.Named())
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "budgets")
	}
	return digest(raw), nil
}

// apply puts into force what a change says.
func (o *Office) apply(t *engine.Txn, row state.Change) error {
	if row.Kind == vault.ChangeRosterMode {
		return budgets.SetRoster(rows{t}, row.Centre, row.On, id.Staff(row.By), id.Staff(row.Second), o.ms())
	}
	if err := o.replaced(t, row.Kind); err != nil {
		return err
	}
	if row.Kind == vault.ChangePolicies {
		return o.applyPolicies(t, row)
	}
	s, err := figures(row.Content)
	if err != nil {
		return err
	}
	return budgets.SetSettings(rows{t}, s, id.Staff(row.By), id.Staff(row.Second), o.ms())
}

func figures(content []byte) (budget.Settings, error) {
	var named map[string]int
	if json.Unmarshal(content, &named) != nil {
		return budget.Settings{}, state.Integrity(state.Changes, "the figures of a change are malformed")
	}
	return budget.DefaultSettings().With(named)
}

// shown is what a change says, beside what is in force.
func (o *Office) shown(t *engine.Txn, row state.Change) (*vault.ChangeShown, error) {
	out := &vault.ChangeShown{}
	switch row.Kind {
	case vault.ChangeRosterMode:
		return out, nil
	case vault.ChangePolicies:
		_, now, err := policiesNow(t)
		if err != nil {
			return nil, err
		}
		then, err := filesOf(row.Content)
		if err != nil {
			return nil, err
		}
		out.Policies = true
		if out.FilesNow, err = texts(now); err != nil {
			return nil, err
		}
		out.Files, err = texts(then)
		return out, err
	}
	now, err := budgets.Settings(rows{t})
	if err != nil {
		return nil, err
	}
	then, err := figures(row.Content)
	out.Now, out.Budgets = now.Named(), then.Named()
	return out, err
}

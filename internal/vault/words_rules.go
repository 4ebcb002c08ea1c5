package vault

import "context"

// MethodRules is the vault's word for what is in force.
const MethodRules = "rules"

// Rules say which policies and budgets are in force (ADR 36). Everybody may know.
type Rules struct {
	Policies string // SHA-256 of all policies in force, guard rails and schema, in hex
	Own      bool   // they are not those that come with the program
	Since    int64  // Unix milliseconds
	Other    bool   // this start was given a folder with others, which are not in force

	Budgets       map[string]int
	BudgetsDigest string
	BudgetsOwn    bool // they are not the defaults
	BudgetsSince  int64

	Older []string `json:",omitempty"` // the kinds that are as an older copy has them: what was decided later was lost in a restore
}

// Rules says what is in force.
func (c *Client) Rules(ctx context.Context) (Rules, error) {
	return call[Empty, Rules](ctx, c, MethodRules, Empty{})
}

package storybook

import (
	"strings"

	"github.com/a-h/templ"

	"tikakosh/internal/portal/view"
)

// sampleRules are rules as they come, and budgets that were changed.
func sampleRules(p *view.Page, at string) *view.Rules {
	return &view.Rules{Policies: strings.Repeat("5e1f0c9a", 8), Budgets: strings.Repeat("7b334d21", 8), PoliciesFrom: p.T("status.rules_default"), BudgetsFrom: p.T("status.rules_own", "At", at), Other: true,
		Figures: []view.RuleFigure{{Label: "status.fig_base", Value: "29"}, {Label: "status.fig_centre", Value: "200"}, {Label: "status.fig_pending", Value: "25"}, {Label: "status.fig_no_dose", Value: "20"}, {Label: "status.fig_break_glass", Value: "2"}}}
}

// ledgerRows are entries as everybody reads them.
func ledgerRows() []view.LedgerRow {
	return []view.LedgerRow{{Number: "4,12,88,090", Mark: strings.Repeat("9f3a07c1", 8)}, {Number: "4,12,88,089", Mark: strings.Repeat("07b6e2d5", 8)}}
}

// statusParts are the parts of the service, all that work or two that do not.
func statusParts(works bool) []view.Part {
	return []view.Part{{Name: "status.search", Text: "status.search_text", Works: true}, {Name: "status.records", Text: "status.records_text", Works: works}, {Name: "status.figures", Text: "status.figures_text", Works: true}, {Name: "status.ledger", Text: "status.ledger_text", Works: works}}
}

// about are the pages of promises, state and accessibility.
func about() []Story {
	const checkpoint = "tikakosh.example/1\n41288091\nx6Yk0r3uZlP0n7l0S0J7mB8dVd1n3Qq9x0sVq4c2w8E=\n\n— tikakosh.example/1 2f1d6c55AAAAAGhK3mY0\n"
	return []Story{
		{Name: "promises", Title: "promises.title", Path: "/promises", Draw: func(p *view.Page) templ.Component {
			return view.Promises(p, view.PromisesPage{Checkpoint: checkpoint, Entries: "4,12,88,091"})
		}},
		{Name: "promises/new", Title: "promises.title", Path: "/promises", Draw: func(p *view.Page) templ.Component {
			return view.Promises(p, view.PromisesPage{})
		}},
		{Name: "status", Title: "foot.status", Path: "/status", Draw: func(p *view.Page) templ.Component {
			at := p.Clock(sampleTime())
			return view.Status(p, view.StatusPage{Heading: "status.all", Parts: statusParts(true), Entries: "4,12,88,091", Version: "0.1.0", At: at, Waiting: []view.Waiting{
				{What: "Test PHC One", Where: p.T("status.since", "At", at), Until: p.T("status.from", "At", at)}, {What: p.T("status.centre", "N", "900001"), Where: p.T("status.since", "At", at), Until: p.T("status.done", "At", at)}},
				More: true, Rules: sampleRules(p, at)})
		}},
		{Name: "status/away", Title: "foot.status", Path: "/status", Draw: func(p *view.Page) templ.Component {
			return view.Status(p, view.StatusPage{Heading: "status.some", Parts: statusParts(false), Version: "0.1.0", At: p.Clock(sampleTime()), Unknown: true})
		}},
		{Name: "status/nothing", Title: "foot.status", Path: "/status", Draw: func(p *view.Page) templ.Component {
			return view.Status(p, view.StatusPage{Heading: "status.all", Parts: statusParts(true), Version: "0.1.0", At: p.Clock(sampleTime())})
		}},
		{Name: "ledger", Title: "ledger.title", Path: "/ledger", Draw: func(p *view.Page) templ.Component {
			at := p.Clock(sampleTime())
			return view.Ledger(p, view.LedgerPage{Checkpoint: checkpoint, Entries: "4,12,88,091", Host: "https://vaccination.example", Older: "/ledger?before=41288071", Rows: ledgerRows(),
				Acts: []view.Waiting{{What: hostile, Where: p.T("status.since", "At", at), Until: p.T("status.from", "At", at)}}, More: true})
		}},
		{Name: "ledger/older", Title: "ledger.title", Path: "/ledger", Draw: func(p *view.Page) templ.Component {
			return view.Ledger(p, view.LedgerPage{Checkpoint: checkpoint, Entries: "4,12,88,091", Host: "https://vaccination.example", Newer: true, Rows: ledgerRows()})
		}},
		{Name: "ledger/none", Title: "ledger.title", Path: "/ledger", Draw: func(p *view.Page) templ.Component { return view.Ledger(p, view.LedgerPage{}) }},
		{Name: "accessibility", Title: "access.title", Path: "/accessibility", Draw: func(p *view.Page) templ.Component { return view.Accessibility(p) }},
	}
}

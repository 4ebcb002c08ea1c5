package redteam

import (
	"context"
	"encoding/json"
	"fmt"

	"tikakosh/internal/id"
	"tikakosh/internal/vault"
	"tikakosh/test/harness"
)

// asks has what came since the first of these plays: what people ask for, share and take with
// them, in the name of others, and with records that are not theirs.
func (x *botAttacker) asks(ctx context.Context, v victim, rec, mule vault.Record, house string) {
	own := vault.Holder{Bearer: x.Bearer}
	if x.link == "" {
		made, err := x.vault.ShareMake(ctx, vault.ShareMakeRequest{Holder: own, Person: mule.Person, Days: 1})
		x.note("a link of the accomplice's", nil, err, "")
		x.link = made.Token
	}
	for what, bearer := range map[string]string{"no session": "", "the household's name": "household:" + house, "the thief's own household": x.Bearer, "a session that passes": x.Passing} {
		h := vault.Holder{Bearer: bearer}
		e, err := x.vault.Export(ctx, vault.ExportRequest{Holder: h, Records: []vault.Record{rec}})
		x.note("export, "+what, e, err, "")
		_, err = x.vault.ShareMake(ctx, vault.ShareMakeRequest{Holder: h, Person: rec.Person, Days: 30})
		x.note("a link made, "+what, nil, err, v.Ref)
		c, err := x.vault.Chances(ctx, vault.ChancesRequest{Holder: h, Records: []vault.Record{rec}})
		about := ""
		if len(c.People) > 0 {
			about = v.Ref
		}
		x.note("what comes next, "+what, nil, err, about)
		if bearer == x.Passing { // it may do what the household may, and would leave nobody in it
			continue
		}
		_, err = x.vault.RequestMake(ctx, vault.RequestMake{Holder: h, Key: fmt.Sprint(x.loot.Asked), Kind: vault.RequestMove, Record: rec, Detail: vault.RequestDetail{Text: "I move."}})
		x.note("taken off the list, "+what, nil, err, v.Ref)
	}
	own2, err := x.vault.Export(ctx, vault.ExportRequest{Holder: own, Records: []vault.Record{{Person: mule.Person, Parts: rec.Parts}}})
	x.note("export, their blobs as the accomplice's", own2, err, "")
	for _, r := range []vault.Record{rec, {Person: mule.Person, Parts: rec.Parts}} {
		_, err := x.vault.ShareOpen(ctx, vault.ShareOpenRequest{Token: x.link, Origin: "127.0.0.1", Record: r, Language: "en"})
		x.note("the accomplice's link, their record", nil, err, v.Ref)
	}
	for _, ref := range []string{v.Ref, x.Mule.Ref} {
		l, err := x.vault.RelinkFinish(ctx, vault.RelinkFinishRequest{Holder: own, Reference: id.Reference(ref), Person: rec.Person})
		x.note("taken over", l, err, v.Ref)
	}
}

// signsNew is what a stolen session signs of what came since: corrections by two, and re-links.
func (x *botAttacker) signsNew(ctx context.Context, v victim, rec vault.Record) {
	body, _ := json.Marshal(map[string]any{"kind": "details", "center_id": 1, "beneficiary_reference_id": v.Ref, "gender_id": 1, "reason": "x", "person_seen": true})
	_, err := x.vault.Propose(ctx, vault.ProposeRequest{Signed: x.sign("POST", harness.ProposePath, string(body)), Person: rec.Person})
	x.note("a correction proposed", nil, err, "")
	a, err := x.vault.Approve(ctx, vault.ApproveRequest{Signed: x.sign("POST", harness.ApprovePath, string(body)), Person: rec.Person, Record: rec})
	x.note("a correction approved", a, err, "")
	q, err := x.vault.RequestWaiting(ctx, vault.StaffRequestAct{Signed: x.sign("GET", harness.StaffRequestsPath, "")})
	x.note("the list of requests", q, err, "")
	for _, signed := range x.Relinks {
		g, err := x.vault.RelinkPropose(ctx, vault.GlassRequest{Signed: signed, Person: rec.Person})
		x.note("a re-link of the accomplice, them", g, err, "")
	}
	// An opening by break-glass under a request that nobody approved.
	o, err := x.vault.GlassOpen(ctx, vault.GlassOpenRequest{Signed: x.sign("POST", harness.GlassPath+"/open", `{"request_id":"0b6c1f0e-5f0a-4c8e-9a53-2f0b8f6f3a11"}`), Record: rec})
	x.note("break-glass that nobody approved", o, err, v.Ref)
}

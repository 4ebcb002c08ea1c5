package post

import (
	"context"
	"crypto/hmac"
	"encoding/json"

	"tikakosh/internal/ablate"
	"tikakosh/internal/vault/keeper/engine"
	"tikakosh/internal/vault/state"
)

// letter is what a row becomes: its messages, to whom, in which language and what they
// say. There are none when nothing is to be sent any more.
type letter struct {
	key string
	all []Notice
	err error
}

// written makes the messages of rows in one reading. A household's number and
// address are opened to send messages only.
func (k *Office) written(ctx context.Context, eng *engine.Engine, keys []string) []letter {
	out := make([]letter, len(keys))
	err := eng.View(ctx, func(t *engine.Txn) error {
		for i, key := range keys {
			out[i] = letter{key: key}
			out[i].all, out[i].err = k.letter(t, key)
		}
		return nil
	})
	for i := range out {
		if err != nil {
			out[i] = letter{key: keys[i], err: err}
		}
	}
	return out
}

func (k *Office) letter(t *engine.Txn, key string) ([]Notice, error) {
	row, there, err := t.Tx.Get(t.Ctx, state.Notices, key)
	if err != nil || !there {
		return nil, err
	}
	var v state.Notice
	if !hmac.Equal(row.MAC, k.Keys.RowMAC(state.Notices, row)) && !ablate.Off(ablate.RowMAC) || json.Unmarshal(row.Content, &v) != nil {
		return nil, state.Integrity(state.Notices, "a row's MAC does not match")
	}
	if row.Expires > 0 && k.Now().UnixMilli() > row.Expires {
		k.Log.Warn("message given up", "template", v.Kind, "kind", "expired")
		return nil, nil
	}
	h, ok, err := engine.Get[state.Household](t, state.Households, string(v.Household))
	if err == nil && !ok {
		err = state.Integrity(state.Households, "a household is missing")
	}
	if err != nil {
		return nil, err
	}
	n := Notice{ID: v.ID, Template: v.Kind, Language: h.Language, Deadline: row.Expires}
	params, said, err := k.Says(t, v)
	if err != nil || !said {
		return nil, err
	}
	n.Params = params
	return k.letters(v, h, n)
}

// letters are the messages of one notice: to the mobile, and the same to the other
// channel that the person confirmed. What tells of a sign-in goes to the other
// channel alone: whoever could read the code can read the mobile.
func (k *Office) letters(v state.Notice, h state.Household, n Notice) (out []Notice, err error) {
	if len(h.Mobile) > 0 && v.Kind != SignIn {
		mobile, err := k.Keys.Contact.Open(nil, nil, h.Mobile, k.Keys.ContactAAD("mobile", string(v.Household)))
		if err != nil {
			return nil, state.Integrity(state.Households, "a number does not open")
		}
		one := n
		one.Mobile = string(mobile)
		out = append(out, one)
	}
	sealed, aad := h.Email, k.Keys.ContactAAD("email", string(v.Household))
	if v.Kind == EmailChanged {
		sealed, aad = v.Old, k.Keys.ContactAAD("notice-email", v.ID)
	}
	if len(sealed) > 0 {
		email, err := k.Keys.Contact.Open(nil, nil, sealed, aad)
		if err != nil {
			return nil, state.Integrity(state.Households, "an address does not open")
		}
		one := n
		one.ID, one.Email = n.ID+"/email", string(email)
		out = append(out, one)
	}
	return out, nil
}

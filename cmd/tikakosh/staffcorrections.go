package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
)

// warnCentre says, after an enrolment, that the centre is not one of the registry's:
// its staff can do nothing there, and a mistyped number is found late. It gives up the
// rights of root, so it comes last.
func warnCentre(ctx context.Context, data, db string, c id.Centre) {
	r, err := (&importFlags{Data: data, DB: db}).open(ctx)
	if err != nil {
		fmt.Fprintf(os.Stderr, "warning: could not check that centre %d exists: %v\n", c, err)
		return
	}
	defer r.db.Close()
	switch _, err := r.rows.Centre(ctx, c); {
	case fault.Is(err, fault.NotFound):
		fmt.Fprintf(os.Stderr, "warning: the registry has no centre %d. If the number is right, import the centre (`tikakosh import centres`); if not, end this key with `tikakosh staff disable` and enrol again\n", c)
	case err != nil:
		fmt.Fprintf(os.Stderr, "warning: could not check that centre %d exists: %v\n", c, err)
	}
}

type staffCorrectionsCmd struct {
	Key       string `required:"" type:"existingfile" help:"Key file of a manager of the centre."`
	URL       string `required:"" help:"Address of the installation, up to and with /api."`
	Show      string `help:"Id of a proposal to show, as JSON that the second person signs and sends to /v3/staff/corrections/approve. The person it names sees that it was shown."`
	ClockFile string `help:"File with a clock offset in milliseconds (demo and tests)."`
}

// Run implements the command.
func (c *staffCorrectionsCmd) Run() error {
	raw, err := os.ReadFile(c.Key)
	if err != nil {
		return err
	}
	var kf keyFile
	if json.Unmarshal(raw, &kf) != nil {
		return fmt.Errorf("key file %s is malformed", c.Key)
	}
	q := url.Values{"center_id": {strconv.FormatInt(int64(kf.Centre), 10)}}
	if c.Show != "" {
		q.Set("correction_id", c.Show)
	}
	address := strings.TrimSuffix(c.URL, "/") + "/v3/staff/corrections?" + q.Encode()
	proof, err := dpop(kf.Key, http.MethodGet, address, nil, "", clock(c.ClockFile)())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	req.Header.Set("DPoP", proof)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", res.Status, strings.TrimSpace(string(body)))
	}
	return c.print(body)
}

func (c *staffCorrectionsCmd) print(body []byte) error {
	var got struct {
		Waiting []struct {
			ID      string          `json:"correction_id"`
			Kind    string          `json:"kind"`
			By      string          `json:"proposed_by"`
			Mine    bool            `json:"mine"`
			At      string          `json:"proposed_at"`
			From    string          `json:"approve_from"`
			Expires string          `json:"expires_at"`
			Body    json.RawMessage `json:"correction"`
		} `json:"corrections"`
	}
	if err := json.Unmarshal(body, &got); err != nil {
		return fmt.Errorf("the answer is not a list of corrections: %w", err)
	}
	if c.Show != "" && len(got.Waiting) == 1 {
		_, err := os.Stdout.Write(got.Waiting[0].Body) // without a line end: it is signed as it stands
		return err
	}
	for _, w := range got.Waiting {
		mine := ""
		if w.Mine {
			mine = "\tproposed by you: somebody else approves it"
		}
		fmt.Printf("%s\t%s\tby %s\tat %s\tfrom %s\tuntil %s%s\n", w.ID, w.Kind, w.By, w.At, w.From, w.Expires, mine)
	}
	return nil
}

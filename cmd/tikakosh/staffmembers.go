package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"tikakosh/internal/access/passkey"
	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
)

// staffSite is where staff sign in, as the vault holds passkeys against it; the zero
// value where nobody said.
func staffSite(issuer string, origins []string) (passkey.Site, error) {
	if len(origins) == 0 {
		return passkey.Site{}, nil
	}
	site, err := passkey.NewSite(issuer, origins...)
	if err != nil {
		return site, badConfig("--staff-origin %s: %s", strings.Join(origins, ", "), "an origin of the staff client is https://HOST or https://HOST:PORT, a name and no address; http only for localhost; all under the first one's host")
	}
	return site, nil
}

// localStaffOrigin is where staff sign in at a trial on this machine: browsers keep
// passkeys for names, localhost among them, and not for addresses. "" elsewhere.
func localStaffOrigin(publicURL string) string {
	u, err := url.Parse(publicURL)
	if err != nil || u.Scheme != "http" || u.Port() == "" || (u.Hostname() != "127.0.0.1" && u.Hostname() != "::1" && u.Hostname() != "localhost") {
		return ""
	}
	return "http://localhost:" + u.Port()
}

type staffSetupCmd struct {
	Data string `required:"" type:"existingdir" help:"Data folder of the running installation."`
}

// Run implements the command.
func (c *staffSetupCmd) Run() error {
	return withOperator(c.Data, func(ctx context.Context, client *vault.Client) error {
		got, err := client.StaffSetup(ctx)
		if err != nil {
			return err
		}
		fmt.Printf("%s\nThe first administrator opens it in a browser before %s and makes their passkey. It works once; whoever has it becomes the administrator.\n", got.Link, local(got.Expires))
		return nil
	})
}

type staffMembersCmd struct {
	Data string `required:"" type:"existingdir" help:"Data folder of the running installation."`
}

// Run implements the command.
func (c *staffMembersCmd) Run() error {
	return withOperator(c.Data, func(ctx context.Context, client *vault.Client) error {
		got, err := client.StaffMembers(ctx)
		if err != nil {
			return err
		}
		for _, m := range got.Members {
			fmt.Printf("%s\t%s\t%s\tsince %s\n", m.ID, m.State, strings.Join(m.Grants, " "), time.UnixMilli(m.Since).UTC().Format(time.DateOnly))
		}
		return nil
	})
}

type staffProposalsCmd struct {
	Data string `required:"" type:"existingdir" help:"Data folder of the running installation."`
}

// Run implements the command.
func (c *staffProposalsCmd) Run() error {
	return withOperator(c.Data, func(ctx context.Context, client *vault.Client) error {
		got, err := client.StaffProposals(ctx)
		if err != nil {
			return err
		}
		for _, p := range got.Proposals {
			fmt.Printf("%s\t%s\t%s\tmember %s\t%s\tby %s\tfrom %s\tuntil %s\n", p.ID, p.Kind, p.State, p.Member, p.Grant, p.By, local(p.NotBefore), local(p.Expires))
		}
		return nil
	})
}

type staffApproveCmd struct {
	Data     string `required:"" type:"existingdir" help:"Data folder of the running installation."`
	Proposal string `required:"" help:"The proposal's id, as proposals prints it."`
}

// Run implements the command.
func (c *staffApproveCmd) Run() error {
	return withOperator(c.Data, func(ctx context.Context, client *vault.Client) error {
		_, err := client.StaffApprove(ctx, vault.StaffOperatorRequest{Proposal: c.Proposal})
		if wait := fault.RetryAfter(err); fault.CodeOf(err) == "wait" && wait > 0 {
			return fmt.Errorf("%w; in %s", err, wait.Round(time.Minute))
		}
		return err
	})
}

func local(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02 15:04 UTC") }

func withOperator(data string, fn func(context.Context, *vault.Client) error) error {
	client, err := operatorClient(data)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return fn(ctx, client)
}

// announceStaff prints, where there is no administrator yet, how the first one comes to
// be: the link itself only on a terminal, never into a log.
func (in *installation) announceStaff(ctx context.Context) {
	if len(in.flags.StaffOrigin) == 0 {
		return
	}
	client, err := operatorClient(in.layout.root)
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	got, err := client.StaffMembers(ctx)
	if err != nil {
		return
	}
	for _, m := range got.Members {
		if m.State == "active" && strings.Contains(strings.Join(m.Grants, " "), "national@") {
			return
		}
	}
	if in.staff == nil && in.flags.StaffOrigin[0] == localStaffOrigin(in.publicURL()) {
		fmt.Fprintln(in.out, "setup   no administrator yet, and no staff client to make one in: start with --staff-listen, as in --staff-listen 127.0.0.1:8082")
		return
	}
	if f := in.out; f == nil || !term.IsTerminal(int(f.Fd())) {
		fmt.Fprintf(in.out, "setup   no administrator yet: %s staff setup-link --data %s\n", os.Args[0], in.layout.root)
		return
	}
	if link, err := client.StaffSetup(ctx); err == nil {
		fmt.Fprintf(in.out, "setup   %s  (once, for the first administrator, before %s)\n", link.Link, local(link.Expires))
	}
}

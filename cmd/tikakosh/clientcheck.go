package main

import (
	"context"
	"errors"
	"fmt"

	"tikakosh/internal/portal/staff"
	"tikakosh/internal/vault"
)

type staffClientCmd struct {
	Origin string `required:"" help:"Where staff sign in, as in https://staff.vaccination.example: the files there are fetched as a browser fetches them."`
	Data   string `type:"existingdir" help:"Data folder of the running installation: what is on its ledger is compared too."`
}

// Run compares the staff client that browsers get with that of this program and with
// the one on the ledger.
func (c *staffClientCmd) Run() error {
	got, err := staff.Fetched(context.Background(), c.Origin)
	if err != nil {
		return err
	}
	same := got == staff.Sum()
	fmt.Printf("at %s\tsha256:%s\nof this program\tsha256:%s\n", c.Origin, got, staff.Sum())
	if c.Data != "" {
		err := withOperator(c.Data, func(ctx context.Context, client *vault.Client) error {
			on, err := client.StaffClient(ctx)
			if err == nil {
				same = same && on.Sum == got
				fmt.Printf("on the ledger\tsha256:%s\tentry %d, %s\n", on.Sum, on.Index, local(on.At))
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	if !same {
		return errors.New("they differ: browsers get another staff client than the one that was released; stop serving it and look who changed it")
	}
	fmt.Println("they are the same")
	return nil
}

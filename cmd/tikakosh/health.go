package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

type healthCmd struct {
	OpsAddr string `name:"ops-addr" default:"127.0.0.1:9180" help:"The installation's operations address."`
}

// Run asks a running installation whether every role is ready, and says which is
// not: for health checks where there is no curl.
func (c *healthCmd) Run() error {
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.OpsAddr+"/readyz", nil)
	if err != nil {
		return badConfig("%v", err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("no answer: is the installation up, and is %s its operations address (--ops-addr, as `tikakosh run` has it)? %w", c.OpsAddr, err)
	}
	defer res.Body.Close()
	raw, err := readAll(res.Body)
	if err != nil {
		return err
	}
	fmt.Print(string(raw))
	if res.StatusCode != http.StatusOK {
		return errors.New("not ready")
	}
	return nil
}

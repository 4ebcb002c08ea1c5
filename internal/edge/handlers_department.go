package edge

import (
	"context"

	"tikakosh/internal/fault"
)

// Departments turn the code that a browser brought from a department's identity provider
// into its ID token (ADR 37), unread: the vault verifies it. fault.Unauthorized: the
// provider refuses the code. fault.NotFound: no such department. fault.Unavailable: the
// provider does not answer.
type Departments interface {
	IDToken(ctx context.Context, department, code, verifier string) (string, error)
}

// departmentDone ends a sign-in at a department. The code and its verifier are used
// here, where the client's secret is; the session's key signed both.
func (c *Ctx) departmentDone(f identityForm) error {
	if c.s.cfg.Departments == nil {
		return fault.New(fault.NotFound, "department", "no such department")
	}
	token, err := c.s.cfg.Departments.IDToken(c.r.Context(), *f.Department, *f.Code, *f.Verifier)
	if err != nil {
		return err
	}
	return c.identityDone(token)
}

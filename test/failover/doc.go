// Package failover holds what is shown on a cluster of three PostgreSQL servers
// that Patroni and etcd run (both from Debian), as an operator of a state would:
// the leader and its Patroni are killed while the product serves, and nothing
// that was acknowledged may be missing or there twice.
//
// Tests have Failover in their names and run where TIKAKOSH_HA=1; they fail
// there, never skip, when the programs are missing.
package failover

// Package bench holds what judges the product from outside: the layout of the
// tree here; below, real processes under kill, and speed and size beside a plain
// echo server (vedetta-bench). Nothing of the product imports it.
package bench

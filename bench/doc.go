// Package bench holds what judges the product from outside: the layout of the
// tree here, real processes under kill in the packages below. Only tests import it.
package bench

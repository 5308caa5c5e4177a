"""From a scanner's report to normalised findings; scanners do not know each other."""

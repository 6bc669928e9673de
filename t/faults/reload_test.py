"""Reloads and dead workers under load."""

import unittest

from harness import Case
from load import Load


class Reload(Case):
    def test_reloads_under_load(self):
        nginx = self.start_nginx()
        longest = 0
        with Load(nginx) as load:
            for _ in range(10):
                longest = max(longest, nginx.reload())
        self.tell(f'10 reloads, the longest {longest:.2f} s')
        load.verify(self, self.redis)


if __name__ == '__main__':
    unittest.main(verbosity=2)

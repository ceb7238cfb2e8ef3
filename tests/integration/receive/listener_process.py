"""A listener in a process of its own, for tests that kill it. Arguments: database URL, folder, port."""

import sys
import time
from pathlib import Path

from agatha.receive import ReceiveConfig, StorageScp
from agatha.store.database import Database
from agatha.store.instance_files import LocalInstanceFiles


def main() -> None:
    url, folder, port = sys.argv[1:4]
    config = ReceiveConfig(port=int(port), disk_reserve_bytes=0)
    scp = StorageScp(config=config, database=Database(url), files=LocalInstanceFiles(Path(folder)))
    scp.start()
    print("listening", flush=True)  # noqa: T201 - the test waits for this line
    while True:
        time.sleep(60)


if __name__ == "__main__":
    main()

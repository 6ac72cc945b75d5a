"""This portal as one more peer: its worker on SQLite in default settings, measured as all others are."""

import json
import sys
from pathlib import Path

import work
from sqlalchemy import func, select

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from benchmarks.drain import fill, open_count
from benchmarks.goals import installed
from portal.company import endpoint as endpoints
from portal.database.db import db
from portal.models import Attempt
from portal.runtime import runtime


def main() -> None:
    _, url, given_count, body, secret = sys.argv
    count = int(given_count)
    with installed() as (_, environment, company_id, _):
        endpoint = endpoints.get_endpoint(db.session, company_id)
        endpoint.url = url
        endpoint.secret = runtime().vault.seal(secret, purpose="webhook_secret", company_id=company_id)
        db.session.commit()
        fill([company_id], Path(body).read_bytes(), count)
        with work.running([sys.executable, "-m", "portal", "worker"], environment) as worker:
            figures = work.watch([worker], (), lambda: count - open_count(), count)
        (rows, deliveries) = db.session.execute(
            select(func.count(), func.count(Attempt.delivery_id.distinct())).select_from(Attempt)
        ).one()
    if not rows == deliveries == count:
        sys.exit(f"{count} deliveries left {rows} attempts of {deliveries} deliveries")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()

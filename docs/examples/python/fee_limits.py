"""Limits the fees of payments by their labels.

The System `fees:limit` stands before `lightningd:compute_feebudget` in a payment's list, where
amount and the caller's wishes are known and no hash is claimed yet:

  pay.py --before lightningd:compute_feebudget=fees:limit --label shop-7 INVOICE

The rules are a JSON file; the first one whose `label` fits counts (`*` is anything, and a payment
without a label has an empty one):

  [{"label": "shop-*", "maxfeepercent": 0.1, "exemptfee": "1000msat"},
   {"label": "*", "maxfeepercent": 0.5}]

A rule allows the larger of `maxfeepercent` of the amount and `exemptfee` ("0msat" where it is left
out). A payment that would spend more on fees gets this as its `lightningd:feebudget`; one that
would spend less keeps what it has. Where no rule fits, nothing is changed.

The least token that it needs:

  payecs token create fees --data-dir D --scope read --scope flow --component fees:
      --component lightningd:main-payment --component lightningd:amount
      --component lightningd:maxfeepercent --component lightningd:exemptfee
      --component lightningd:feebudget --component lightningd:label
      --component lightningd:failing"""

import argparse
import fnmatch
import json

import payecs_client as payecs
from payecs_money import micro_percent, msat, share
from payecs_wire import Place

KEYS = {"label", "maxfeepercent", "exemptfee"}
BUDGET, LABEL = "lightningd:feebudget", "lightningd:label"


class Rule:
    """What payments with such labels may spend on fees."""

    def __init__(self, said):
        if not isinstance(said, dict) or not {"label", "maxfeepercent"} <= set(said) <= KEYS:
            raise ValueError("a rule has `label`, `maxfeepercent` and, if you like, `exemptfee`")
        self.label = said["label"]
        if not isinstance(self.label, str):
            raise ValueError("`label` is a text, in which `*` is anything")
        try:
            self.percent = micro_percent(said["maxfeepercent"])
            self.exempt = msat(said.get("exemptfee", "0msat"))
        except argparse.ArgumentTypeError as fault:
            raise ValueError(str(fault)) from fault

    def allows(self, amount_msat):
        return max(share(amount_msat, self.percent), self.exempt)


def rules(path):
    """The rules of a file."""
    try:
        with open(path, encoding="utf-8") as file:
            # Numbers as they are written, not as floats.
            found = json.load(file, parse_float=str)
        if not isinstance(found, list) or not found:
            raise ValueError("it has to be a list of rules")
    except (OSError, ValueError) as fault:
        raise argparse.ArgumentTypeError(f"{path}: {fault}") from fault
    made = []
    for at, said in enumerate(found, 1):
        try:
            made.append(Rule(said))
        except ValueError as fault:
            raise argparse.ArgumentTypeError(f"{path}: rule {at}: {fault}") from fault
    return made


def limit(client, entity, listed):
    """The fee budget that the rule of the label allows, where it is less."""
    number = entity["entity"]
    has = client.read(number, LABEL, BUDGET)
    label = has[LABEL] or ""
    at = next((at for at, rule in enumerate(listed, 1)
               if fnmatch.fnmatchcase(label, rule.label)), None)
    # What was judged must not change before the judgement is written.
    same = [{"entity": number, LABEL: has[LABEL], BUDGET: has[BUDGET],
             "lightningd:amount": entity["lightningd:amount"]}]
    if at is None:
        return payecs.Answer({"fees:limited": {"rule": None}}, expected=same)
    amount = msat(entity["lightningd:amount"])
    if has[BUDGET] is None:
        percent = micro_percent(entity["lightningd:maxfeepercent"])
        wanted = max(share(amount, percent), msat(entity["lightningd:exemptfee"]))
    else:
        wanted = msat(has[BUDGET])
    allowed = listed[at - 1].allows(amount)
    components = {"fees:limited": {"rule": at, "wanted_msat": wanted, "allowed_msat": allowed}}
    if wanted > allowed:
        components[BUDGET] = f"{allowed}msat"
    return payecs.Answer(components, expected=same)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rules", type=rules, required=True, metavar="FILE",
                        help="the rules, as JSON")
    Place.options(parser)
    options = parser.parse_args()
    system = payecs.System(
        "fees:limit", lambda client, entity: limit(client, entity, options.rules),
        requires=["lightningd:main-payment", "lightningd:amount", "lightningd:maxfeepercent",
                  "lightningd:exemptfee"],
        disallows=["fees:limited", "lightningd:failing"],
        writes=["fees:limited", BUDGET], reads=[LABEL, BUDGET])
    place = Place.of(options)
    payecs.run(lambda: payecs.serve(place, [system]))


if __name__ == "__main__":
    main()

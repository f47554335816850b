"""The catalogue over the wire: what a caller may ask for, without asking anybody's leave."""

from gateway.records.catalogue import CATALOGUE


def test_every_record_type_is_listed(gateway):
    listed = gateway.http.get("/v1/record-types").json()["items"]

    assert [item["record_type"] for item in listed] == list(CATALOGUE.types)
    assert {item["label"]["zh"] for item in listed} >= {"商标", "专利"}


def test_a_type_tells_its_groups_with_their_class_and_each_field_once(gateway):
    told = gateway.http.get("/v1/record-types/detention").json()

    groups = {group["group"]: group for group in told["groups"]}
    importer = groups["detention.importer"]
    assert (importer["class"], importer["personal"], importer["law"]) == ("confidential", True, "19 CFR 133.42(d)")
    fields = [field["field"] for group in told["groups"] for field in group["fields"]]
    assert sorted(fields) == sorted(CATALOGUE.types["detention"].fields)
    goods = next(field for field in groups["detention.goods"]["fields"] if field["field"] == "goods")
    assert goods == {"field": "goods", "kind": "goods_line", "list": True, "required": False}


def test_who_has_read_it_is_told_that_it_is_the_same(gateway):
    first = gateway.http.get("/v1/record-types/trademark")

    again = gateway.http.get("/v1/record-types/trademark", headers={"If-None-Match": first.headers["etag"]})

    assert (again.status_code, again.content) == (304, b"")


def test_a_type_that_there_is_not_is_not_found(gateway):
    assert gateway.http.get("/v1/record-types/song").status_code == 404

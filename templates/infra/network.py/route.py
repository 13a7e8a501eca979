    def _route(self, settings: Settings, peering: str) -> None:
        """Route what is for Atlas through the peering, in each route table."""
        tables = [it.route_table.route_table_id for it in self.vpc.isolated_subnets]
        if settings.vpc_id:
            tables = [settings.route_table_id_a, settings.route_table_id_b]
        for name, table in zip("AB", dict.fromkeys(filter(None, tables)), strict=False):
            ec2.CfnRoute(
                self,
                f"AtlasRoute{name}",
                route_table_id=table,
                destination_cidr_block=settings.atlas_cidr,
                vpc_peering_connection_id=peering,
            )
